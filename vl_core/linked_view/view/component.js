// The linked view: picture and words, and what any of them looks at, without asking the server.
const DEBOUNCE = 150; // milliseconds before a change goes to Python
const PATIENCE = 2000; // milliseconds in which nothing comes before what is missing is asked for
const PICTURE_FILTERS = { dimmed: "saturate(0.45) brightness(0.7)", plain: "none", hidden: "opacity(0)" };
const states = new WeakMap(); // by parent element: the export below runs anew with every message

// Tokens of the asking side under the pointer, in a drag, or being played.
function touchedTokens(state) {
  const { playing, drag, pointed } = state;
  if (playing !== null) return [playing];
  if (drag) return drag.tokens;
  return pointed?.table === asking(state) ? [pointed.token] : [];
}

// Tokens whose attention is on show. What cannot be worked out at once waits until it is pinned.
function shownTokens(state) {
  const touched = touchedTokens(state);
  const reads = state.options.pointing === "reads" && state.playing === null && !state.drag;
  const isAnswered = isLocal(state, headsOf(state, state.selection.head), touched.length);
  return touched.length && !reads && isAnswered ? touched : pinnedTokens(state);
}

function currentValues(state) {
  if (!state.tables) return null;
  const tokens = shownTokens(state);
  const values = profileOf(state, state.selection.head, tokens);
  if (!values) return null;
  const table = answering(state);
  const own = ownTops(state, values);
  const shared = state.options.scaling === "shared" ? topOfAll(state) : null;
  return {
    tokens,
    values,
    pictureTop: shared ?? own.picture,
    picturePeak: largestOf(values, shownPatches(state, table)),
    wordsTop: shared ?? own.words,
    wordsPeak: largestOf(values, table.chipTokens),
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
  const readsPatch = read && read.table.boxes[read.token];
  drawScale(find(".picture-scale"), pictureTop, picturePeak, readsPatch ? read.value : null);
  drawScale(find(".words-scale"), wordsTop, wordsPeak, read && !readsPatch ? read.value : null);
  drawShares(state, values);
  find(".sentence").textContent = sentence(state, tokens, values);
}

// Everything: after a change of selection, options or data.
function refresh(state) {
  if (!state.tables) return showLoading(state, true);
  turn(state);
  showChoices(state);
  placeTabStop(state);
  draw(state);
  drawThumbnails(state);
  if (currentValues(state)) state.find("[role=status]").textContent = state.find(".sentence").textContent;
}

// What depends on which side answers: made anew when that changes.
function turn(state) {
  const table = answering(state);
  if (state.turned === table) return;
  state.turned = table;
  const { find } = state;
  find(".view").dataset.picture = state.data.size && picturedTable(state) ? "yes" : "no";
  find(".picture-scale").hidden = !hasPatches(table);
  find(".words-scale").hidden = !table.chipTokens.length;
  turnWords(state);
  buildShares(state);
  buildThumbnails(state);
  buildViews(state);
}

// The weight between the pinned tokens and the one pointed at; marks the scales while it is read.
function drawTip(state) {
  const { selection, pointed, options } = state;
  const tip = state.find(".tip");
  const reads = options.pointing === "reads" || !canPoint(state) || !isSelf(state);
  const isMeant = pointed?.table === answering(state) && !state.drag && (pinnedOf(state).length > 0 || reads);
  const from = pinnedTokens(state);
  const values = isMeant ? profileOf(state, selection.head, from) : null;
  tip.hidden = !values;
  if (!values) return null;
  const value = values[pointed.token];
  const [giver, taker] = [askedOf(state, from), pointed.table.labels[pointed.token]];
  const verb = selection.direction === "looks_at" ? `${giver} gives it` : `it gives ${giver}`;
  tip.textContent = `${capitalized(taker)}: ${verb} ${percent(value)} (${value.toPrecision(3)})`;
  return reads ? { ...pointed, value } : null;
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
  const { find } = state;
  state.isLoading = isLoading;
  find(".view").setAttribute("aria-busy", isLoading);
  find(".loading").hidden = !isLoading;
  if (isLoading) find(".loading").textContent = `Loading ${layerName(state)} …`;
  watch(state);
}

function stopWaiting(state) {
  clearTimeout(state.waiting);
  state.waiting = null;
}

// Asks for what does not come: a run of the page may have been cut off before it was sent.
function watch(state) {
  if (!state.isLoading && !state.awaitsHeads) return stopWaiting(state);
  state.waiting ??= setTimeout(() => {
    state.waiting = null;
    const wanted = state.tables ? wantedKeys(state) : [state.data.tokensKey];
    const missing = wanted.filter((key) => !bus.blobs.has(key));
    if (missing.length) state.setTriggerValue("missing", missing);
    refresh(state);
  }, PATIENCE);
}

function showPicture(state) {
  const { data, find } = state;
  const content = data.pictureKey && bus.blobs.get(data.pictureKey);
  if (!content || state.pictureShown === data.pictureKey) return;
  state.pictureShown = data.pictureKey;
  const image = find(".stage img");
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(new Blob([content], { type: "image/jpeg" }));
  image.alt = "The picture that was analysed";
}

// What belongs to one stack: rebuilt when another one comes, as soon as its tokens are there.
function build(state) {
  const { data, find } = state;
  const content = bus.blobs.get(data.tokensKey);
  if (!content) return;
  state.tables = readTables(content);
  if (data.size) find(".view").style.setProperty("--aspect", data.size[0] / data.size[1]);
  buildWords(state);
  buildChoices(state);
  stop(state);
  placeTabStop(state);
  revealPinned(state);
}

// Nothing of the stack before stays, also while the tokens of the new one are on their way.
function forget(state) {
  clearTimeout(state.commit); // a choice of tokens that this stack does not have
  stop(state);
  Object.assign(state, { tables: null, turned: null, cache: {}, marked: [], awaitsHeads: false, drag: null, pointed: null });
}

function create(root) {
  const find = (selector) => root.querySelector(selector);
  const canvas = find("canvas.map");
  const state = {
    root, find, canvas,
    context: canvas.getContext("2d"),
    options: { scaling: "map", patches: "blocks", picture: "dimmed", pointing: "lights", regions: null },
    selection: {}, change: 0,
    tables: null, turned: null, marked: [], isLoading: false, awaitsHeads: false,
    playing: null, drag: null, pointed: null, timer: null, waiting: null, cache: {},
  };
  for (const place of root.querySelectorAll(".scale")) buildScale(place);
  listenToPointer(state);
  listenToChoices(state);
  state.onBlob = () => {
    stopWaiting(state); // more may be on its way
    showPicture(state);
    if (!state.tables) build(state);
    if (state.isLoading) refresh(state);
    else if (state.awaitsHeads) drawThumbnails(state);
    watch(state);
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
  if (isOther) forget(state);
  if (!state.tables) build(state);
}

export default function linkedView({ data, parentElement: root, setStateValue, setTriggerValue }) {
  let state = states.get(root);
  if (!state) states.set(root, (state = create(root)));
  Object.assign(state, { setStateValue, setTriggerValue });
  follow(state, data);
  showPicture(state);
  refresh(state);
  return () => {
    stop(state);
    stopWaiting(state);
    clearTimeout(state.commit);
    state.resized.disconnect();
    bus.target.removeEventListener("blob", state.onBlob);
    states.delete(root);
  };
}
