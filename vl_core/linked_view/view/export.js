// What is on show as one PNG: picture with its map, words, color bars and the sentence.
const EXPORT_WIDTH = 1200;
const MARGIN = 40;
const MOST_WORDS = 120; // of a long text the strongest are drawn

function savePicture(state) {
  const shown = currentValues(state);
  if (!shown) return;
  const canvas = document.createElement("canvas");
  canvas.width = EXPORT_WIDTH;
  canvas.height = 4000; // cut to what is used below
  const height = paintAll(state, shown, canvas.getContext("2d"));
  const cut = document.createElement("canvas");
  cut.width = EXPORT_WIDTH;
  cut.height = height;
  cut.getContext("2d").drawImage(canvas, 0, 0);
  cut.toBlob((blob) => download(blob, "attention.png"), "image/png");
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function paintAll(state, shown, context) {
  const style = getComputedStyle(state.root.host);
  const ink = style.getPropertyValue("--st-text-color") || "#000";
  const font = style.getPropertyValue("--st-font") || "sans-serif";
  context.fillStyle = style.getPropertyValue("--st-background-color") || "#fff";
  context.fillRect(0, 0, EXPORT_WIDTH, context.canvas.height);
  const pen = { context, ink, font, y: MARGIN };
  const table = answering(state);
  if (state.find(".view").dataset.picture === "yes") paintPicture(state, shown, pen);
  if (hasPatches(table)) paintScale(pen, "picture", shown.pictureTop, shown.picturePeak);
  if (table.chipTokens.length) {
    paintWords(table, shown, pen);
    paintScale(pen, "words", shown.wordsTop, shown.wordsPeak);
  }
  paintText(pen, sentence(state, shown.tokens, shown.values));
  return Math.ceil(pen.y + MARGIN / 2);
}

function paintPicture(state, { values, pictureTop }, pen) {
  const [width, height] = state.data.size;
  const scale = Math.min((EXPORT_WIDTH - 2 * MARGIN) / width, 900 / height);
  const map = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
  drawPicture(state, map.getContext("2d"), values, pictureTop, 2);
  const left = (EXPORT_WIDTH - map.width) / 2;
  pen.context.filter = PICTURE_FILTERS[state.options.picture];
  pen.context.drawImage(state.find(".stage img"), left, pen.y, map.width, map.height);
  pen.context.filter = "none";
  pen.context.drawImage(map, left, pen.y);
  pen.y += map.height + 18;
}

function paintScale(pen, name, top, peak) {
  const { context, ink, font } = pen;
  const width = 420;
  const left = (EXPORT_WIDTH - width) / 2;
  for (let i = 0; i < width; i++) {
    context.fillStyle = LEVEL_COLOR[Math.floor((i / width) * LEVELS)];
    context.fillRect(left + i, pen.y, 1, 14);
  }
  context.fillStyle = ink;
  context.font = `20px ${font}`;
  context.textBaseline = "middle";
  context.fillText(`${name} 0`, left - context.measureText(`${name} 0`).width - 10, pen.y + 8);
  context.fillText(endOf(top, peak), left + width + 10, pen.y + 8);
  pen.y += 44;
}

function paintWords(table, { values, wordsTop }, pen) {
  const { context, font } = pen;
  const order = [...table.chipTokens].sort((a, b) => values[b] - values[a]);
  const tokens = order.slice(0, MOST_WORDS).sort((a, b) => a - b);
  if (tokens.length < order.length) paintText(pen, `The ${tokens.length} strongest of ${order.length} words and specials:`);
  context.font = `26px ${font}`;
  let x = MARGIN;
  for (const token of tokens) {
    const text = table.texts[token];
    const width = context.measureText(text).width + 28;
    if (x + width > EXPORT_WIDTH - MARGIN) {
      x = MARGIN;
      pen.y += 54;
    }
    const level = levelOf(values[token], wordsTop);
    context.fillStyle = LEVEL_COLOR[level];
    context.fillRect(x, pen.y, width, 42);
    context.fillStyle = LEVEL_INK[level];
    context.fillText(text, x + 14, pen.y + 22);
    x += width + 10;
  }
  pen.y += 60;
}

function paintText(pen, text) {
  const { context, ink, font } = pen;
  context.font = `24px ${font}`;
  context.fillStyle = ink;
  let line = "";
  for (const word of text.split(" ")) {
    if (context.measureText(`${line} ${word}`).width > EXPORT_WIDTH - 2 * MARGIN) {
      context.fillText(line, MARGIN, pen.y + 16);
      pen.y += 34;
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  context.fillText(line, MARGIN, pen.y + 16);
  pen.y += 40;
}
