// What is said of a head under the pointer, put together from numbers and a few sentences.

/** The lines below a head's value: in its own unit, rank, what else there is to say, pattern. */
function hintsOn(data, layer, head) {
  const lines = [];
  if (data.values[layer][head] !== null) {
    if (data.own) lines.push(`${significant(data.own[layer][head])} ${data.ownUnit}`);
    const rule = data.first === "largest" ? ", the largest on either side of 0 first" : "";
    lines.push(`rank ${data.rank[layer][head]} of ${data.nRanked}${rule}`);
    if (data.sentences.length) lines.push(noteOn(data, layer, head));
  }
  return [...lines, data.patterns[data.pattern[layer][head]]];
}

function noteOn(data, layer, head) {
  const sentence = data.sentences[data.which ? data.which[layer][head] : 0];
  return sentence.replace(/\{(\d)\}/g, (_, number) => {
    const value = data.notes[number][layer][head];
    return data.decimals === null ? significant(value) : written(value, data.decimals);
  });
}
