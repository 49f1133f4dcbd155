// The tokens of the two streams, which are one where a stream looks at itself. "looks at" asks the
// queries and is answered by the keys, "is looked at by" the other way round.
const KINDS = ["text", "image", "special"];

function readTable(sent) {
  const count = sent.texts.length;
  const tokens = Array.from({ length: count }, (_, token) => token);
  const table = { ...sent, count };
  table.isGenerated = marks(sent.generated, count);
  table.repeated = repeatedOf(sent, tokens);
  table.words = tokens.filter((token) => sent.kinds[token] === "text");
  table.chipTokens = tokens.filter((token) => !sent.boxes[token] && sent.kinds[token] !== "padding");
  table.patches = sent.views.map((_, view) => drawingOrder(sent, tokens.filter((t) => sent.boxes[t] && sent.viewOf[t] === view)));
  table.parts = partsOf(sent);
  table.partOf = Int8Array.from(tokens, (token) =>
    table.parts.findIndex(({ kind, view }) => kind === sent.kinds[token] && (view === null || view === sent.viewOf[token])));
  return table;
}

// Texts that several tokens have.
function repeatedOf({ texts, wholes }, tokens) {
  const all = tokens.map((token) => wholes[token] ?? texts[token]);
  const seen = new Set();
  return new Set(all.filter((text) => seen.has(text) || !seen.add(text)));
}

// Small patches are drawn over large ones; what is drawn last is what the pointer finds.
function drawingOrder({ boxes }, tokens) {
  const area = ([left, top, right, bottom]) => (right - left) * (bottom - top);
  return tokens.sort((a, b) => area(boxes[b]) - area(boxes[a]) || a - b);
}

// What shares are told of: the kinds of token that there are, patches by view if there are several.
function partsOf({ kinds, views, viewOf, tints }) {
  return KINDS.flatMap((kind) => {
    const label = kind === "special" ? "specials" : kind;
    if (!kinds.includes(kind)) return [];
    if (kind !== "image" || views.length === 1) return [{ kind, view: null, label, tint: "" }];
    return views.flatMap((name, view) =>
      kinds.some((k, token) => k === kind && viewOf[token] === view) ? [{ kind, view, label: name || label, tint: `${Math.round(100 * tints[view])}%` }] : []);
  });
}

function readTables(content) {
  const { queries, keys, streams } = describe(content);
  const asked = readTable(queries);
  return { streams, queries: asked, keys: keys ? readTable(keys) : asked };
}

function isSelf({ tables }) {
  return tables.queries === tables.keys;
}

function asking({ tables, selection }) {
  return selection.direction === "looks_at" ? tables.queries : tables.keys;
}

function answering({ tables, selection }) {
  return selection.direction === "looks_at" ? tables.keys : tables.queries;
}

// What is pinned has one place for the queries and one for the keys of another stream.
function pinnedField(state) {
  return asking(state) === state.tables.queries ? "tokens" : "keys";
}

function pinnedOf(state) {
  return state.selection[pinnedField(state)];
}

// What is pinned; where nothing is, all words together. Without words it is all there is; but of all
// keys together everybody gives the same share, and so the one in the middle stands for them.
function pinnedTokens(state) {
  const pinned = pinnedOf(state);
  if (pinned.length) return pinned;
  const { words, kinds } = asking(state);
  if (words.length) return words;
  const all = kinds.flatMap((kind, token) => (kind === "padding" ? [] : [token]));
  return state.selection.direction === "looks_at" ? all : [all[all.length >> 1]];
}

// The rows that stand for these tokens: of a generated one, the position that predicts it or its own.
function rowsOf(state, tokens) {
  const { data, selection, tables } = state;
  if (!data.offersPosition || selection.direction !== "looks_at" || selection.position === "reads") return tokens;
  return tokens.map((token) => (tables.queries.isGenerated[token] && token ? token - 1 : token));
}

// The view of the picture that is on show: the one selected, or the first one.
function shownView({ selection }, table) {
  return Math.max(0, table.views.indexOf(selection.view));
}

function shownPatches(state, table) {
  return table.patches[shownView(state, table)];
}

function hasPatches(table) {
  return table.patches.some((patches) => patches.length);
}
