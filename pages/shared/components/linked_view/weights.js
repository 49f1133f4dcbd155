// Attention weights from the bytes that Python sends; vl_core/wire.py says what they hold.
const STEPS = 65535;

function codedLayer(blob, heads, tokens) {
  const maxima = new Float32Array(blob.buffer, blob.byteOffset, heads * tokens);
  const codes = new Uint16Array(blob.buffer, blob.byteOffset + maxima.byteLength, heads * tokens * tokens);
  return { codes, maxima };
}

// Adds `share` times one head's weights (query x key) to `sum`.
function addHead(sum, { codes, maxima }, head, tokens, share) {
  for (let query = 0; query < tokens; query++) {
    const factor = (share * maxima[head * tokens + query]) / STEPS ** 2;
    const from = (head * tokens + query) * tokens;
    const to = query * tokens;
    for (let key = 0; key < tokens; key++) {
      const code = codes[from + key];
      sum[to + key] += code * code * factor;
    }
  }
}

// Query x key, the mean over the given layers (their blobs) and heads.
function meanWeights(blobs, headNumbers, heads, tokens) {
  const sum = new Float32Array(tokens * tokens);
  for (const blob of blobs) {
    const layer = codedLayer(blob, heads, tokens);
    for (const head of headNumbers) {
      addHead(sum, layer, head, tokens, 1 / (blobs.length * headNumbers.length));
    }
  }
  return sum;
}

// What the chosen tokens look at (the mean of their rows), or what looks at them (of their columns).
function profile(weights, tokens, chosen, direction) {
  const values = new Float32Array(tokens);
  const share = 1 / chosen.length;
  for (const token of chosen) {
    for (let other = 0; other < tokens; other++) {
      const place = direction === "looks_at" ? token * tokens + other : other * tokens + token;
      values[other] += weights[place] * share;
    }
  }
  return values;
}

// Sum and mean of the values for each kind of token.
function byKind(values, kinds) {
  const found = { text: { sum: 0, count: 0 }, image: { sum: 0, count: 0 }, special: { sum: 0, count: 0 } };
  kinds.forEach((kind, token) => {
    if (!found[kind]) return; // padding
    found[kind].sum += values[token];
    found[kind].count += 1;
  });
  for (const entry of Object.values(found)) entry.mean = entry.count ? entry.sum / entry.count : 0;
  return found;
}

function largest(values, kinds, ...wanted) {
  let top = 0;
  for (let token = 0; token < kinds.length; token++) {
    if (wanted.includes(kinds[token]) && values[token] > top) top = values[token];
  }
  return top;
}

// Where the color scales of picture and words end by themselves: at the largest weight of each, but
// not below this part of the other's, so that what is practically nothing looks like nothing.
const LEAST_TOP = 1 / 20;

function ownTops(values, kinds) {
  const [picture, words] = ["image", "text"].map((kind) => largest(values, kinds, kind));
  return { picture: Math.max(picture, LEAST_TOP * words), words: Math.max(words, LEAST_TOP * picture) };
}

// The largest weight between words and patches: special tokens draw so much attention in many
// heads that a scale with them would leave all else dark.
function largestOfAll(weights, kinds) {
  let top = 0;
  const tokens = kinds.length;
  for (let query = 0; query < tokens; query++) {
    if (kinds[query] !== "text" && kinds[query] !== "image") continue;
    top = Math.max(top, largest(weights.subarray(query * tokens, (query + 1) * tokens), kinds, "text", "image"));
  }
  return top;
}
