// Which keys of a block a query may look at; vl_core/trace/masks.py says what the kinds mean.

// The first allowed key of a query, and one past the last, before padding and tables.
function keyRange({ kind, offset, window }, query, keys) {
  if (kind !== "causal" && kind !== "sliding") return [0, keys];
  const end = Math.max(0, Math.min(keys, query + offset + 1));
  return [kind === "sliding" ? Math.max(0, query + offset + 1 - window) : 0, end];
}

// The same for a key: which queries may look at it.
function queryRange({ kind, offset, window }, key, queries) {
  if (kind !== "causal" && kind !== "sliding") return [0, queries];
  const start = Math.max(0, key - offset);
  return [start, kind === "sliding" ? Math.min(queries, key - offset + window) : queries];
}

// Whether one of many bits is set; eight of them are a byte, the first one lowest.
function isSet(bits, place) {
  return (bits[place >> 3] >> (place & 7)) & 1;
}
