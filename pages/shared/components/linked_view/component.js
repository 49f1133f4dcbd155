// The linked view: picture and words, and what any of them looks at, without asking the server.
const DEBOUNCE = 150; // milliseconds before a change goes to Python
const PATIENCE = 2000; // milliseconds before what is missing is asked for again
const PICTURE_FILTERS = { dimmed: "saturate(0.45) brightness(0.7)", plain: "none", hidden: "opacity(0)" };
const states = new WeakMap(); // by parent element: the export below runs anew with every message

function layersShown({ data, selection }) {
  return selection.allLayers ? data.layerNumbers.map((_, layer) => layer) : [selection.layer];
}

// The blobs of the layers on show, or null while one of them is on its way.
function layerBlobs(state) {
  const blobs = layersShown(state).map((layer) => bus.blobs.get(state.data.layerKeys[layer]));
  return blobs.every(Boolean) ? blobs : null;
}

// Query x key of one head (or of the mean over heads, null), remembered while the layer stays.
function weightsOf(state, head) {
  const { data, cache } = state;
  const layers = layersShown(state).join();
  if (cache.layers !== layers) state.cache = { layers, weights: new Map(), tops: new Map() };
  const kept = state.cache.weights;
  if (!kept.has(head)) {
    const heads = head === null ? Array.from({ length: data.heads }, (_, i) => i) : [head];
    kept.set(head, meanWeights(layerBlobs(state), heads, data.heads, data.kinds.length));
  }
  return kept.get(head);
}

function topOfAll(state) {
  const { head } = state.selection;
  const weights = weightsOf(state, head);
  const { tops } = state.cache;
  if (!tops.has(head)) tops.set(head, largestOfAll(weights, state.data.kinds));
  return tops.get(head);
}

// What is pinned; where nothing is, all words together.
function pinnedTokens({ selection, words, data }) {
  if (selection.tokens.length) return selection.tokens;
  return words.length ? words : data.kinds.map((_, token) => token);
}

// Tokens under the pointer, in a drag, or being played.
function touchedTokens({ playing, drag, pointed }) {
  if (playing !== null) return [playing];
  if (drag) return drag.tokens;
  return pointed === null ? [] : [pointed];
}

// Tokens whose attention is on show.
function shownTokens(state) {
  const touched = touchedTokens(state);
  const reads = state.options.pointing === "reads" && state.playing === null && !state.drag;
  return touched.length && !reads ? touched : pinnedTokens(state);
}

function currentValues(state) {
  if (!layerBlobs(state)) return null;
  const { data, options, selection } = state;
  const weights = weightsOf(state, selection.head);
  const tokens = shownTokens(state);
  const values = profile(weights, data.kinds.length, tokens, selection.direction);
  const own = ownTops(values, data.kinds);
  const shared = options.scaling === "shared" ? topOfAll(state) : null;
  return {
    tokens,
    values,
    pictureTop: shared ?? own.picture,
    picturePeak: largest(values, data.kinds, "image"),
    wordsTop: shared ?? own.words,
    wordsPeak: largest(values, data.kinds, "text", "special"),
  };
}

// Everything that follows the pointer.
function draw(state) {
  const shown = currentValues(state);
  showLoading(state, !shown);
  if (!shown) return;
  const { data, find } = state;
  const { tokens, values, pictureTop, picturePeak, wordsTop, wordsPeak } = shown;
  if (data.size && state.canvas.width) drawPicture(state, state.context, values, pictureTop, state.ratio);
  drawWords(state, values, wordsTop);
  const read = drawTip(state);
  const readsPatch = read && data.kinds[read.token] === "image";
  drawScale(find(".picture-scale"), pictureTop, picturePeak, readsPatch ? read.value : null);
  drawScale(find(".words-scale"), wordsTop, wordsPeak, read && !readsPatch ? read.value : null);
  drawShares(state, values);
  find(".sentence").textContent = sentence(state, tokens, values);
}

// Everything: after a change of selection, options or data.
function refresh(state) {
  showChoices(state);
  placeTabStop(state);
  draw(state);
  if (!layerBlobs(state)) return;
  drawThumbnails(state);
  state.find("[role=status]").textContent = state.find(".sentence").textContent;
}

// The weight between the pinned tokens and the one pointed at; marks the scales while it is read.
function drawTip(state) {
  const { data, selection, pointed, options } = state;
  const tip = state.find(".tip");
  const isMeant = pointed !== null && !state.drag && (selection.tokens.length > 0 || options.pointing === "reads");
  tip.hidden = !isMeant;
  if (!isMeant) return null;
  const from = pinnedTokens(state);
  const value = profile(weightsOf(state, selection.head), data.kinds.length, from, selection.direction)[pointed];
  const [giver, taker] = [nameOf(state, from), data.labels[pointed]];
  const verb = selection.direction === "looks_at" ? `${giver} gives it` : `it gives ${giver}`;
  tip.textContent = `${capitalized(taker)}: ${verb} ${percent(value)} (${value.toPrecision(3)})`;
  return options.pointing === "reads" ? { token: pointed, value } : null;
}

function placeTip(state, event) {
  const tip = state.find(".tip");
  if (tip.hidden) return;
  const frame = state.find(".view").getBoundingClientRect();
  const x = Math.min(event.clientX - frame.left + 14, frame.width - tip.offsetWidth - 4);
  tip.style.transform = `translate(${Math.max(0, x)}px, ${event.clientY - frame.top + 18}px)`;
}

// The visitor's own change: shown at once, sent to Python when it comes to rest.
function select(state, changes) {
  Object.assign(state.selection, changes);
  state.change += 1;
  refresh(state);
  clearTimeout(state.commit);
  state.commit = setTimeout(() => {
    state.setStateValue("selection", { ...state.selection, change: state.change });
  }, DEBOUNCE);
}

function showLoading(state, isLoading) {
  const { find, data } = state;
  find(".view").setAttribute("aria-busy", isLoading);
  find(".loading").hidden = !isLoading;
  if (!isLoading) {
    clearTimeout(state.waiting);
    state.waiting = null;
    return;
  }
  find(".loading").textContent = `Loading ${layerName(state)} …`;
  state.waiting ??= setTimeout(() => {
    state.waiting = null;
    const wanted = [data.pictureKey, ...layersShown(state).map((layer) => state.data.layerKeys[layer])];
    state.setTriggerValue("missing", wanted.filter((key) => key && !bus.blobs.has(key)));
    draw(state);
  }, PATIENCE);
}

function showPicture(state) {
  const { data, find } = state;
  find(".view").dataset.picture = data.size ? "yes" : "no";
  const content = data.pictureKey && bus.blobs.get(data.pictureKey);
  if (!content || state.pictureShown === data.pictureKey) return;
  state.pictureShown = data.pictureKey;
  const image = find(".stage img");
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(new Blob([content], { type: "image/jpeg" }));
  image.alt = "The picture that was analysed";
}

// What belongs to one analysis: rebuilt when another one comes.
function build(state) {
  const { data, find } = state;
  state.words = data.kinds.flatMap((kind, token) => (kind === "text" ? [token] : []));
  state.raster = data.size ? rasterOf(data, RASTER) : null;
  state.cache = {};
  state.playing = state.drag = state.pointed = null;
  if (data.size) find(".view").style.setProperty("--aspect", data.size[0] / data.size[1]);
  buildWords(state);
  buildThumbnails(state);
  buildChoices(state);
  stop(state);
}

function create(root) {
  const find = (selector) => root.querySelector(selector);
  const canvas = find("canvas.map");
  const state = {
    root, find, canvas,
    context: canvas.getContext("2d"),
    options: { scaling: "map", patches: "blocks", picture: "dimmed", pointing: "lights" },
    selection: {}, change: 0,
    playing: null, drag: null, pointed: null, timer: null, waiting: null, cache: {},
  };
  for (const place of root.querySelectorAll(".scale")) buildScale(place);
  listenToPointer(state);
  listenToChoices(state);
  state.onBlob = () => {
    showPicture(state);
    if (state.waiting) refresh(state);
  };
  bus.target.addEventListener("blob", state.onBlob);
  state.resized = new ResizeObserver(() => fitCanvas(state));
  state.resized.observe(find(".stage"));
  return state;
}

function fitCanvas(state) {
  const { canvas, data } = state;
  state.ratio = globalThis.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * state.ratio);
  const height = Math.round(canvas.clientHeight * state.ratio);
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
  if (data) draw(state);
}

// A message from Python: its selection counts unless the visitor has changed something since.
function follow(state, data) {
  const isOther = state.data?.version !== data.version;
  state.data = data;
  if (isOther || data.seen >= state.change) {
    state.selection = { ...data.selection };
    state.change = data.seen;
  }
  if (isOther) {
    clearTimeout(state.commit); // a choice of tokens that this analysis does not have
    build(state);
  }
}

export default function ({ data, parentElement: root, setStateValue, setTriggerValue }) {
  let state = states.get(root);
  if (!state) states.set(root, (state = create(root)));
  Object.assign(state, { setStateValue, setTriggerValue });
  follow(state, data);
  showPicture(state);
  refresh(state);
  return () => {
    stop(state);
    clearTimeout(state.waiting);
    clearTimeout(state.commit);
    state.resized.disconnect();
    bus.target.removeEventListener("blob", state.onBlob);
    states.delete(root);
  };
}
