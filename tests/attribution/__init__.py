"""Tests of maps, interventions and intervals."""
