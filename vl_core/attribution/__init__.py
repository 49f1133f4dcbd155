"""What an answer rests on: maps over the picture, interventions, and how far to trust either.

localization: a map over patches against boxes, by three measures. rollout, relevancy: two maps
that follow attention through all layers. ablation: what the answer loses without a head, which
alone is a statement about cause. bootstrap, agreement: intervals, and whether two rankings agree.

Import what you need from its own module: localization, rollout, bootstrap and agreement work
without torch.
"""
