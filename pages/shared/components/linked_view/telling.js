// What the view says in words and numbers.
const KIND_NAMES = { text: "text", image: "image", special: "specials" };
const NBSP = "\u00a0"; // keeps a number and its unit on one line
const RAMP = LEVEL_COLOR.filter((_, level) => level % 17 === 0).join(",");

function percent(share) {
  const value = 100 * share;
  if (value === 0) return `0${NBSP}%`;
  if (value < 0.01) return `<0.01${NBSP}%`;
  return `${value.toFixed(value < 1 ? 2 : 1)}${NBSP}%`;
}

function capitalized(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function nameOf(state, tokens) {
  const { data } = state;
  const isAllWords = tokens.length > 1 && tokens.length === state.words.length && tokens.every((t, i) => t === state.words[i]);
  if (isAllWords) return "the mean of all words";
  if (tokens.length === 1) return data.labels[tokens[0]];
  const named = tokens.filter((token) => data.kinds[token] !== "image").map((token) => data.labels[token]);
  const patches = tokens.length - named.length;
  if (patches) named.push(patches === 1 ? data.labels[tokens.find((t) => data.kinds[t] === "image")] : `${patches} patches`);
  return `the mean of ${named.join(", ")}`;
}

function layerName({ data, selection }) {
  return selection.allLayers ? `all ${data.layerNumbers.length} layers (mean)` : `layer ${data.layerNumbers[selection.layer]}`;
}

function headName({ data, selection }) {
  return selection.head === null ? `mean of ${data.heads} heads` : `head ${selection.head + 1}`;
}

function strongestOf(values, kinds, ...wanted) {
  let strongest = -1;
  values.forEach((value, token) => {
    if (wanted.includes(kinds[token]) && (strongest < 0 || value > values[strongest])) strongest = token;
  });
  return strongest;
}

function withShare(state, tokens, values, token) {
  const isItself = tokens.length === 1 && tokens[0] === token;
  return `${isItself ? "itself" : state.data.labels[token]} with ${percent(values[token])}`;
}

function sentence(state, tokens, values) {
  const { data, selection } = state;
  const who = nameOf(state, tokens);
  const where = `${capitalized(who)} in ${layerName(state)}, ${headName(state)}`;
  const strongest = strongestOf(values, data.kinds, "text", "image", "special");
  let what = withShare(state, tokens, values, strongest);
  if (data.size && data.kinds[strongest] !== "image") {
    what += `, in the picture ${selection.direction === "looks_at" ? "at" : "by"} `;
    what += withShare(state, tokens, values, strongestOf(values, data.kinds, "image"));
  }
  const kinds = byKind(values, data.kinds);
  const listed = (key) => Object.keys(KIND_NAMES).map((kind) => `${KIND_NAMES[kind]} ${percent(kinds[kind][key])}`).join(", ");
  return selection.direction === "looks_at"
    ? `${where} looks most at ${what}; in all ${listed("sum")}.`
    : `${where} is looked at most by ${what}; on average each token gives it: ${listed("mean")} (these do not add up to 100${NBSP}%).`;
}

function drawShares(state, values) {
  const { selection, data, find } = state;
  const isRow = selection.direction === "looks_at";
  const kinds = byKind(values, data.kinds);
  const key = isRow ? "sum" : "mean";
  const top = isRow ? 1 : Math.max(...Object.values(kinds).map((entry) => entry.mean)) || 1;
  find(".shares").dataset.direction = selection.direction;
  for (const kind of Object.keys(KIND_NAMES)) {
    find(`.shares .bars .${kind}`).style.setProperty("--share", kinds[kind][key] / top);
    find(`.shares .numbers .${kind}`).textContent = `${KIND_NAMES[kind]} ${percent(kinds[kind][key])}${isRow ? "" : " each"}`;
  }
}

// A color bar with its numbers; the mark shows the value that is being read.
function buildScale(place) {
  const ramp = document.createElement("div");
  ramp.className = "ramp";
  ramp.style.background = `linear-gradient(to right,${RAMP})`;
  const mark = document.createElement("i");
  ramp.append(mark);
  const numbers = ["from", "middle", "to"].map((name) => {
    const number = document.createElement("span");
    number.className = name;
    return number;
  });
  place.replaceChildren(ramp, ...numbers);
}

// The upper end of a scale, and whether something on show lies beyond it.
function endOf(top, peak) {
  return `${peak > top ? "≥ " : ""}${percent(top)}`;
}

function drawScale(place, top, peak, value) {
  const [, from, middle, to] = place.children;
  from.textContent = "0";
  middle.textContent = percent(top / 2);
  to.textContent = endOf(top, peak);
  const mark = place.querySelector("i");
  mark.hidden = value === null;
  if (value !== null) mark.style.left = `${100 * Math.min(1, value / (top || 1))}%`;
}
