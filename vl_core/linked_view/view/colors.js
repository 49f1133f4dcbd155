// Magma, the color map of attention everywhere; these are the stops of Plotly's scale of that name.
const MAGMA = [
  [0, 0, 4], [24, 15, 61], [68, 15, 118], [114, 31, 129], [158, 47, 127],
  [205, 64, 113], [241, 96, 93], [253, 150, 104], [254, 202, 141], [252, 253, 191],
];
const LEVELS = 256;
const KIND_COLORS = { text: "#0d9488", image: "#ea580c", special: "#64748b" };

function magma(level) {
  const place = (level / (LEVELS - 1)) * (MAGMA.length - 1);
  const below = Math.min(MAGMA.length - 2, Math.floor(place));
  return MAGMA[below].map((part, i) => Math.round(part + (place - below) * (MAGMA[below + 1][i] - part)));
}

// Over a picture, weak patches let more of it through.
function opacity(level) {
  return 0.16 + 0.74 * (level / (LEVELS - 1)) ** 0.6;
}

function luminance([red, green, blue]) {
  const linear = [red, green, blue].map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

const LEVEL_RGB = Array.from({ length: LEVELS }, (_, level) => magma(level));
const LEVEL_COLOR = LEVEL_RGB.map((rgb) => `rgb(${rgb})`);
const LEVEL_OVERLAY = LEVEL_RGB.map((rgb, level) => `rgba(${rgb},${opacity(level).toFixed(3)})`);
// Black or white, whichever reads better: the weaker of the two never falls below 4.5 : 1.
const LEVEL_INK = LEVEL_RGB.map((rgb) => (luminance(rgb) > 0.179 ? "#000" : "#fff"));

// Which of the 256 colors stands for a weight on a scale that ends at `top`.
function levelOf(value, top) {
  return top > 0 ? Math.min(LEVELS - 1, Math.round((value / top) * (LEVELS - 1))) : 0;
}
