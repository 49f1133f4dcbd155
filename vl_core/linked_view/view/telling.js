// What the view says in words and numbers.
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

// What tokens of the asking side are called together.
function nameOf(state, tokens) {
  const table = asking(state);
  const { words, labels, boxes, noun } = table;
  if (tokens.length === 1) return labels[tokens[0]];
  if (tokens.join() === words.join()) return "the mean of all words";
  if (tokens.length === table.kinds.filter((kind) => kind !== "padding").length) return "the mean of all tokens";
  const named = tokens.filter((token) => !boxes[token]);
  const patches = tokens.filter((token) => boxes[token]);
  const parts = named.length > 8 ? [`${named.length} tokens`] : named.map((token) => labels[token]);
  if (patches.length) parts.push(patches.length === 1 ? labels[patches[0]] : `${patches.length} ${noun.many}`);
  return `the mean of ${parts.slice(0, -1).join(", ")}${parts.length > 1 ? " and " : ""}${parts.at(-1)}`;
}

// Whose rows are shown: of a generated token, at which of its two positions.
function askedOf(state, tokens) {
  const name = nameOf(state, tokens);
  const { data, selection, tables } = state;
  const { isGenerated, labels } = tables.queries;
  const generated = tokens.filter((token) => isGenerated[token] && token);
  if (!data.offersPosition || selection.direction !== "looks_at" || !generated.length) return name;
  if (tokens.length > 1) {
    return `${name} (${generated.length === tokens.length ? "" : "those of the answer "}at the positions that ${selection.position.slice(0, -1)} them)`;
  }
  return selection.position === "reads"
    ? `the position that reads ${name}`
    : `the position that predicts ${name} (the one before it, which reads ${labels[tokens[0] - 1]})`;
}

function layerName({ data, selection }) {
  return selection.allLayers ? `all ${data.layerNumbers.length} layers (mean)` : `layer ${data.layerNumbers[selection.layer]}`;
}

function headName({ data, selection }) {
  return selection.head === null ? `mean of ${data.heads} heads` : `head ${selection.head + 1}`;
}

function strongestOf(values, isWanted) {
  let strongest = -1;
  values.forEach((value, token) => {
    if (isWanted(token) && (strongest < 0 || value > values[strongest])) strongest = token;
  });
  return strongest;
}

function withShare(state, tokens, values, token) {
  const isItself = isSelf(state) && tokens.length === 1 && tokens[0] === token;
  return `${isItself ? "itself" : answering(state).labels[token]} with ${percent(values[token])}`;
}

function sentence(state, tokens, values) {
  const { selection } = state;
  const table = answering(state);
  const where = `${capitalized(askedOf(state, tokens))} in ${layerName(state)}, ${headName(state)}`;
  const isRow = selection.direction === "looks_at";
  if (!values.some((value) => value > 0)) {
    const whom = isSelf(state) ? "anything" : streamName(state, isRow ? "keys" : "queries");
    return isRow ? `${where} does not look at ${whom}: no attention starts there.` : `${where} is not looked at by ${whom}.`;
  }
  const strongest = strongestOf(values, (token) => table.partOf[token] >= 0);
  let what = withShare(state, tokens, values, strongest);
  if (hasPatches(table) && !table.boxes[strongest]) {
    what += `, in the picture ${isRow ? "at" : "by"} `;
    what += withShare(state, tokens, values, strongestOf(values, (token) => table.boxes[token] !== null));
  }
  const found = byPart(values, table);
  const listed = (key) => table.parts.map(({ label }, part) => `${label} ${percent(found[part][key])}`).join(", ");
  return isRow
    ? `${where} looks most at ${what}; in all ${listed("sum")}.`
    : `${where} is looked at most by ${what}; on average each token gives it: ${listed("mean")} (these do not add up to 100${NBSP}%).`;
}

// A bar and a number for each part of the answering side.
function buildShares(state) {
  const { parts } = answering(state);
  const { find } = state;
  const made = (tag) => parts.map(({ kind, tint }) => {
    const part = document.createElement(tag);
    part.className = kind;
    if (tint) part.style.setProperty("--tint", tint);
    return part;
  });
  find(".shares .bars").replaceChildren(...made("i"));
  find(".shares .numbers").replaceChildren(...made("span"));
}

function drawShares(state, values) {
  const { selection, find } = state;
  const table = answering(state);
  const isRow = selection.direction === "looks_at";
  const found = byPart(values, table);
  const key = isRow ? "sum" : "mean";
  const top = isRow ? 1 : Math.max(...found.map((entry) => entry.mean)) || 1;
  find(".shares").dataset.direction = selection.direction;
  const [bars, numbers] = [find(".shares .bars").children, find(".shares .numbers").children];
  table.parts.forEach(({ label }, part) => {
    bars[part].style.setProperty("--share", found[part][key] / top);
    numbers[part].textContent = `${label} ${percent(found[part][key])}${isRow ? "" : " each"}`;
  });
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
