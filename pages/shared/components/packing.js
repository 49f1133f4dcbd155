// The message that packing.py writes: a JSON header, then arrays in little-endian order.

// {head, part}: part(name) is a copy of that part, which starts at an even address, as typed arrays
// insist on.
function unpacked(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const part = (name) => bytes.slice(head.parts[name][0], head.parts[name][0] + head.parts[name][1]);
  return { head, part };
}
