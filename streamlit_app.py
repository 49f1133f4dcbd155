"""VL-InterpreT: see where a vision-language transformer looks. Start it with `make run`."""

from pages.shared import frame

frame.main()
