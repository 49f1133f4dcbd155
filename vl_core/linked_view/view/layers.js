// Rows and columns of attention from the bytes that Python sends; vl_core/wire says what they hold.
const STEPS = 65535;

function describe(content) {
  return JSON.parse(new TextDecoder().decode(content));
}

// Heads may share keys, which come in as many groups.
function groupOf({ groups, count }, head) {
  return Math.floor((head * groups) / count);
}

// A layer as it is described: its blocks, ready for bytes. bytesOf finds the table of a mask.
function readLayer(content, bytesOf) {
  const described = describe(content);
  const blocks = described.blocks.map((block) => ({
    ...block,
    queryAt: placesOf(block.queries, described.queries),
    keyAt: placesOf(block.keys, described.keys),
    isPadding: block.mask?.padding && marks(block.mask.padding, block.nKeys),
    allowed: block.mask?.allowed ? bytesOf(block.mask.allowed) : null,
  }));
  return { ...described, blocks, heads: [] };
}

// Where in a block each position of the stream stands, -1 where it has none; null: in their order.
function placesOf(positions, count) {
  if (!positions) return null;
  const places = new Int32Array(count).fill(-1);
  positions.forEach((position, place) => (places[position] = place));
  return places;
}

function marks(places, count) {
  const found = new Uint8Array(count);
  for (const place of places) found[place] = 1;
  return found;
}

// One head of a layer: of each block its weights as codes, or its queries and keys as numbers. What
// there is for each query and distance comes first, so that it lies where it can be read as it is.
function readHead(layer, content, keyContent) {
  const { buffer, byteOffset } = content;
  let wide = byteOffset + 4;
  let rest = wide + 4 * layer.blocks.reduce((sum, { nQueries, bias }) => sum + nQueries + (bias?.distances ?? 0), 0);
  let keyPlace = keyContent?.byteOffset;
  const parts = layer.blocks.map(({ nQueries, nKeys, dim, isPrecise, bias }) => {
    const scales = new Float32Array(buffer, wide, nQueries);
    wide += scales.byteLength;
    const start = rest;
    const size = isPrecise ? 4 : 2;
    rest += size * nQueries * (dim ?? nKeys);
    if (!dim) return { maxima: scales, codes: new Uint16Array(buffer, start, nQueries * nKeys) };
    const added = bias ? new Float32Array(buffer, wide, bias.distances) : null;
    wide += added?.byteLength ?? 0;
    const queries = numbersAt(buffer, start, nQueries * dim, isPrecise);
    const keys = numbersAt(keyContent.buffer, keyPlace, nKeys * dim, isPrecise);
    keyPlace += size * nKeys * dim;
    return { logSums: scales, added, queries, keys };
  });
  return { top: new Float32Array(buffer, byteOffset, 1)[0], parts };
}

// The products of one vector with those of a list, from one place in it to another. The one is
// copied: that makes the loop four times as fast.
function products(one, onePlace, many, dim, from, to) {
  const fixed = Float64Array.from(one.subarray(onePlace * dim, (onePlace + 1) * dim));
  const found = new Float64Array(Math.max(0, to - from));
  const even = dim - (dim % 4);
  let place = from * dim;
  for (let i = 0; i < found.length; i++, place += dim) {
    let a = 0, b = 0, c = 0, d = 0; // four sums, as none then waits for another
    let j = 0;
    for (; j < even; j += 4) {
      a += fixed[j] * many[place + j];
      b += fixed[j + 1] * many[place + j + 1];
      c += fixed[j + 2] * many[place + j + 2];
      d += fixed[j + 3] * many[place + j + 3];
    }
    for (; j < dim; j++) a += fixed[j] * many[place + j];
    found[i] = a + b + c + d;
  }
  return found;
}

function isAllowed({ isPadding, allowed, nKeys }, row, column) {
  return !(isPadding && isPadding[column]) && (!allowed || isSet(allowed, row * nKeys + column));
}

// Adds `share` times the weights of a query on all keys, or (isColumn) of all queries on a key.
function addWeights(sum, layer, { parts }, token, isColumn, share) {
  layer.blocks.forEach((block, number) => {
    const [mine, others] = isColumn ? [block.keyAt, block.queries] : [block.queryAt, block.keys];
    const place = mine ? mine[token] : token;
    if (place < 0) return;
    (block.dim ? addComputed : addCoded)(sum, block, parts[number], place, isColumn, others, share);
  });
}

// `place` is the row or column in the block; others: where its other tokens stand in the stream.
function addCoded(sum, { nQueries, nKeys }, { maxima, codes }, place, isColumn, others, share) {
  const count = isColumn ? nQueries : nKeys;
  const [start, step] = isColumn ? [place, nKeys] : [place * nKeys, 1];
  for (let i = 0; i < count; i++) {
    const root = codes[start + i * step] / STEPS;
    sum[others ? others[i] : i] += share * maxima[isColumn ? i : place] * root * root;
  }
}

function addComputed(sum, block, { logSums, added, queries, keys }, place, isColumn, others, share) {
  const { mask, dim, scaling, softcap, bias } = block;
  const [from, to] = isColumn ? queryRange(mask, place, block.nQueries) : keyRange(mask, place, block.nKeys);
  const found = isColumn ? products(keys, place, queries, dim, from, to) : products(queries, place, keys, dim, from, to);
  const isFree = !block.isPadding && !block.allowed;
  for (let i = 0, other = from; i < found.length; i++, other++) {
    if (!isFree && !(isColumn ? isAllowed(block, other, place) : isAllowed(block, place, other))) continue;
    const score = scaling * found[i];
    const bent = softcap ? softcap * Math.tanh(score / softcap) : score;
    const [query, key] = isColumn ? [other, place] : [place, other];
    const whole = added ? bent + added[bias.keys[key] - bias.queries[query]] : bent;
    sum[others ? others[other] : other] += share * Math.exp(whole - logSums[query]);
  }
}

// Whether a query looks anywhere at all: some have no row, some may look at nothing.
function looks(layer, { parts }, query) {
  return layer.blocks.some((block, number) => {
    const row = block.queryAt ? block.queryAt[query] : query;
    const { maxima, logSums } = parts[number];
    return row >= 0 && (maxima ? maxima[row] > 0 : logSums[row] < Infinity);
  });
}
