// Queries and keys are sent in 16 bits, of which each of the 65536 patterns is looked up, or in 32.
const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
});

function floats(halves) {
  const found = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) found[i] = HALVES[halves[i]];
  return found;
}

// So many numbers from a place among bytes. Those of 32 bits are copied: they may lie anywhere, and
// are read where they lie only from every fourth byte on.
function numbersAt(buffer, place, count, isPrecise) {
  if (isPrecise) return new Float32Array(buffer.slice(place, place + 4 * count));
  return floats(new Uint16Array(buffer, place, count));
}
