// From a number to its color and to its text.

const parsed = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** The color of a value between low and high: [red, green, blue], mixed between the stops. */
function colorOf(value, { low, high, colors }) {
  const span = high - low;
  const share = span > 0 ? Math.min(1, Math.max(0, (value - low) / span)) : 0.5;
  const place = share * (colors.length - 1);
  const first = Math.min(colors.length - 2, Math.floor(place));
  const [from, to] = [parsed(colors[first]), parsed(colors[first + 1])];
  return from.map((channel, i) => Math.round(channel + (to[i] - channel) * (place - first)));
}

/** Black or white, whichever reads better on the color (relative luminance, WCAG 2). */
function inkOn(color) {
  const [red, green, blue] = color.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#0b1220" : "#ffffff";
}

/** As many decimals as tell a hundredth of the scale apart. */
function decimalsOf({ low, high }) {
  const span = high - low;
  return span > 0 ? Math.min(6, Math.max(0, Math.round(-Math.log10(span / 100)))) : 2;
}

function written(value, decimals) {
  if (value === null) return "missing";
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
}

/** Three significant digits, as `written` in measured.py has them. */
function significant(value) {
  if (value === null) return "missing";
  const size = Math.abs(value);
  if (size >= 1000) return written(value, 0);
  const text = String(Number(value.toPrecision(3)));
  const small = size > 0 && size < 1e-4;
  return (small ? exponential(value) : text).replace(/-/g, "\u2212");
}

function exponential(value) {
  const [digits, power] = value.toExponential(2).split("e-");
  return `${Number(digits)}e-${power.padStart(2, "0")}`;
}

/** Round numbers between low and high, at most `most` of them. */
function ticksOf({ low, high }, most) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((size) => size >= rough * 0.999);
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + span * 1e-9; n += 1) ticks.push(n * step);
  return ticks;
}

function tickDecimals(ticks) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : Math.abs(ticks[0]) || 1;
  for (let decimals = 0; decimals < 8; decimals += 1) {
    if (Math.abs(step - Number(step.toFixed(decimals))) < step * 1e-6) return decimals;
  }
  return 8;
}
