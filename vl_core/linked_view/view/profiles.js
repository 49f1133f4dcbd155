// What chosen tokens look at, and what looks at them: from the layer's bytes, or, where that would
// take longer than a blink, from what Python has worked out for the pinned tokens.

function layersShown({ data, selection }) {
  return selection.allLayers ? data.layerNumbers.map((_, layer) => layer) : [selection.layer];
}

function headsOf({ data }, head) {
  return head === null ? Array.from({ length: data.heads }, (_, i) => i) : [head];
}

// A layer's heads are kept while it is on show.
function cacheOf(state) {
  const shown = layersShown(state).join();
  if (state.cache.shown !== shown) state.cache = { shown, layers: new Map(), profiles: new Map(), tops: new Map() };
  return state.cache;
}

// A layer that has come, or null.
function layerAt(state, number) {
  const { layers } = cacheOf(state);
  if (!layers.has(number)) {
    const content = bus.blobs.get(`${state.data.stackKey}/${number}`);
    if (!content) return null;
    const bytesOf = (name) => bus.blobs.get(`${state.data.stackKey}/${name}`);
    const layer = readLayer(content, bytesOf);
    if (layer.blocks.some((block) => block.mask?.allowed && !block.allowed)) return null;
    layers.set(number, layer);
  }
  return layers.get(number);
}

// A head that has come, or null.
function headAt(state, number, head) {
  const layer = layerAt(state, number);
  if (!layer) return null;
  if (!layer.heads[head]) {
    const content = bus.blobs.get(`${state.data.stackKey}/${number}/h${head}`);
    const keys = bus.blobs.get(`${state.data.stackKey}/${number}/k${groupOf(layer, head)}`);
    if (!content || !keys) return null;
    layer.heads[head] = readHead(layer, content, keys);
  }
  return layer.heads[head];
}

// All heads of all these layers, or null while one of them is on its way.
function partsAt(state, layers, heads) {
  const parts = layers.flatMap((number) => heads.map((head) => ({ layer: layerAt(state, number), head: headAt(state, number, head) })));
  return parts.every(({ head }) => head) ? parts : null;
}

// Whether these heads' profile of so many tokens is worked out here.
function isLocal({ data }, heads, count) {
  const has = data.isWhole || data.holdsLayer || heads.length === 1;
  return has && (data.reach === null || heads.length * count <= data.reach);
}

// Whether pointing can be answered here: with the heads on show, for a single token.
function canPoint(state) {
  return isLocal(state, headsOf(state, state.selection.head), 1);
}

// One value for each token of the answering side, the mean over heads (null) and chosen tokens; null
// while something is on its way.
function profileOf(state, head, tokens) {
  const { profiles } = cacheOf(state);
  const { direction, position } = state.selection;
  const key = [head, direction, position, tokens].join("|");
  if (!profiles.has(key)) {
    const heads = headsOf(state, head);
    const found = isLocal(state, heads, tokens.length) ? computed(state, heads, tokens) : sent(state, heads, tokens);
    if (!found) return null;
    if (profiles.size > 500) profiles.clear();
    profiles.set(key, found);
  }
  return profiles.get(key);
}

function computed(state, heads, tokens) {
  const parts = partsAt(state, layersShown(state), heads);
  if (!parts) return null;
  const isColumn = state.selection.direction !== "looks_at";
  const rows = rowsOf(state, tokens);
  // Queries that look at nothing would dilute the mean of those that do.
  const counted = isColumn ? rows : rows.filter((row) => parts.some(({ layer, head }) => looks(layer, head, row)));
  const values = new Float32Array(answering(state).count);
  const share = 1 / (counted.length * parts.length);
  for (const { layer, head } of parts) {
    for (const row of counted) addWeights(values, layer, head, row, isColumn, share);
  }
  return values;
}

// What Python has worked out: of all heads of the layer, for the tokens that it knows to be pinned.
function sent(state, heads, tokens) {
  const { data, selection } = state;
  const { profile } = data;
  const isMeant =
    profile && profile.layer === selection.layer && !selection.allLayers && profile.direction === selection.direction &&
    profile.position === selection.position && profile.tokens.join() === tokens.join();
  const content = isMeant && bus.blobs.get(profile.key);
  if (!content) return null;
  const count = answering(state).count;
  const maxima = new Float32Array(content.buffer, content.byteOffset, data.heads);
  const codes = new Uint16Array(content.buffer, content.byteOffset + maxima.byteLength, data.heads * count);
  const values = new Float32Array(count);
  for (const head of heads) {
    for (let token = 0; token < count; token++) {
      values[token] += (codes[head * count + token] / STEPS) ** 2 * (maxima[head] / heads.length);
    }
  }
  return values;
}

// The bytes that what is on show is made from.
function wantedKeys(state) {
  const { data, selection } = state;
  const layers = layersShown(state).flatMap((number) => {
    const content = bus.blobs.get(`${data.stackKey}/${number}`);
    if (!content) return [`${data.stackKey}/${number}`];
    const described = describe(content);
    const masks = described.blocks.flatMap(({ mask }) => mask?.allowed ?? []);
    const chosen = selection.head === null ? [] : [selection.head];
    const heads = data.isWhole || data.holdsLayer ? headsOf(state, null) : chosen;
    const parts = heads.flatMap((head) => [`${number}/h${head}`, `${number}/k${groupOf(described, head)}`]);
    return [...masks, ...parts].map((name) => `${data.stackKey}/${name}`);
  });
  return [...new Set([data.tokensKey, data.pictureKey, data.profile?.key, ...layers])].filter(Boolean);
}

// The largest weight between words and patches: special tokens draw so much attention in many
// heads that a scale with them would leave all else dark. Null where nobody has all the weights.
function topOfAll(state) {
  const { head } = state.selection;
  const layers = layersShown(state);
  if (layers.length === 1 && head !== null) return headAt(state, layers[0], head)?.top ?? null;
  if (!state.data.isWhole) return null;
  const { tops } = cacheOf(state);
  const top = tops.get(head) ?? largestOfMean(state, layers, headsOf(state, head));
  if (top !== null) tops.set(head, top);
  return top;
}

function largestOfMean(state, layers, heads) {
  const { queries, keys } = state.tables;
  const parts = partsAt(state, layers, heads);
  if (!parts) return null;
  let top = 0;
  queries.kinds.forEach((kind, query) => {
    if (kind !== "text" && kind !== "image") return;
    const row = new Float32Array(keys.count);
    for (const { layer, head } of parts) addWeights(row, layer, head, query, false, 1 / parts.length);
    top = Math.max(top, largest(row, keys, (token) => keys.kinds[token] === "text" || keys.kinds[token] === "image"));
  });
  return top;
}

// Sum and mean of the values for each part of a table.
function byPart(values, { parts, partOf }) {
  const found = parts.map(() => ({ sum: 0, count: 0, mean: 0 }));
  partOf.forEach((part, token) => {
    if (part < 0) return; // padding
    found[part].sum += values[token];
    found[part].count += 1;
  });
  for (const entry of found) entry.mean = entry.count ? entry.sum / entry.count : 0;
  return found;
}

function largest(values, { count }, isWanted) {
  let top = 0;
  for (let token = 0; token < count; token++) {
    if (values[token] > top && isWanted(token)) top = values[token];
  }
  return top;
}

function largestOf(values, tokens) {
  let top = 0;
  for (const token of tokens) if (values[token] > top) top = values[token];
  return top;
}

// Where the color scales of picture and words end by themselves: at the largest weight of each, but
// not below this part of the other's, so that what is practically nothing looks like nothing.
const LEAST_TOP = 1 / 20;

function ownTops(state, values) {
  const table = answering(state);
  const picture = largestOf(values, shownPatches(state, table));
  const plain = table.chipTokens.filter((token) => table.kinds[token] !== "special");
  const words = largestOf(values, plain.length ? plain : table.chipTokens);
  return { picture: Math.max(picture, LEAST_TOP * words), words: Math.max(words, LEAST_TOP * picture) };
}
