// Attention weights from the square-root codes that Python sends: (code / 255)^2 * the row's maximum.
// A layer's blob holds codes of head x query x key, then, aligned to four bytes, the maxima of
// head x query as float32.

function codedLayer(blob, heads, tokens) {
  const count = heads * tokens * tokens;
  return {
    codes: blob.subarray(0, count),
    maxima: new Float32Array(blob.buffer, blob.byteOffset + Math.ceil(count / 4) * 4, heads * tokens),
  };
}

// Adds `share` times one head's weights (query x key) to `sum`.
function addHead(sum, { codes, maxima }, head, tokens, share) {
  for (let query = 0; query < tokens; query++) {
    const factor = (share * maxima[head * tokens + query]) / (255 * 255);
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
