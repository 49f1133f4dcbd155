// Puts what Python sends on the bus: {"index": [[key, length], ...], "drop": [key, ...]} as JSON,
// then the bytes in turn.
const KEPT_ANALYSES = 3; // the Python side forgets at the same number, oldest delivery first

function analysisOf(key) {
  return key.slice(0, key.indexOf("/"));
}

function dropOldAnalyses() {
  const analyses = [...new Set([...bus.blobs.keys()].map(analysisOf))];
  for (const old of analyses.slice(0, -KEPT_ANALYSES)) {
    for (const key of bus.blobs.keys()) if (analysisOf(key) === old) bus.blobs.delete(key);
  }
}

export default function ({ data }) {
  const indexLength = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  let offset = 4 + indexLength;
  const { index, drop } = JSON.parse(new TextDecoder().decode(data.subarray(4, offset)));
  for (const key of drop) bus.blobs.delete(key);
  for (const [key, length] of index) {
    if (!bus.blobs.has(key)) {
      // A copy: the message's own buffer starts anywhere, and it would live as long as this view.
      bus.blobs.set(key, data.slice(offset, offset + length));
      bus.target.dispatchEvent(new CustomEvent("blob", { detail: key }));
    }
    offset += length;
  }
  dropOldAnalyses();
}
