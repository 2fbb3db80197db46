"""How many samples the fixtures of estimates from anchors have, and the line they are measured on."""

SIZE = 600
LINE = {"x": "-1:1:9", "loss": "mse"}
