// The map as a PNG: what is on screen, drawn once more with its title, axes and color bar.

const PNG_SCALE = 2;
const BAR_WIDTH = 14;

function savePicture(root, data, size) {
  const style = getComputedStyle(root.host ?? root);
  const theme = {
    ink: style.getPropertyValue("--st-text-color") || "#0f172a",
    paper: style.getPropertyValue("--st-background-color") || "#ffffff",
    line: style.getPropertyValue("--st-border-color") || "#cbd5e1",
    font: style.getPropertyValue("--st-font") || "sans-serif",
  };
  painted(data, size, theme).toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${data.file}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

function painted(data, size, theme) {
  const [width, height] = [Math.max(size.width, 18), Math.max(size.height, 6)];
  const [layers, heads] = [data.values.length, data.values[0].length];
  const place = { left: 56, top: 76, width, height, means: 56 + heads * width + 12 };
  place.bar = place.means + width + 26;
  place.bottom = place.top + layers * height;
  const canvas = document.createElement("canvas");
  canvas.width = PNG_SCALE * Math.max(place.bar + 96, 420);
  canvas.height = PNG_SCALE * (Math.max(place.bottom + 16, place.top + 190));
  const pen = canvas.getContext("2d");
  pen.scale(PNG_SCALE, PNG_SCALE);
  pen.fillStyle = theme.paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = "middle";
  paintText(pen, theme, data.name, 12, 20, "left", 16);
  paintCells(pen, theme, data, place);
  paintAxes(pen, theme, data, place);
  paintBar(pen, theme, data, place);
  return canvas;
}

function paintText(pen, theme, text, x, y, align = "center", size = 12) {
  pen.font = `${size}px ${theme.font}`;
  pen.fillStyle = theme.ink;
  pen.textAlign = align;
  pen.fillText(text, x, y);
}

function paintCells(pen, theme, data, place) {
  data.values.forEach((row, layer) => {
    const y = place.top + layer * place.height;
    row.forEach((value, head) => paintCell(pen, theme, data, value, place.left + head * place.width, y, place));
    paintCell(pen, theme, data, data.means[layer], place.means, y, place);
  });
  const [layer, head] = data.selected;
  pen.strokeStyle = theme.ink;
  pen.lineWidth = 2;
  const x = head === null ? place.means : place.left + head * place.width;
  pen.strokeRect(x, place.top + layer * place.height, place.width, place.height);
}

function paintCell(pen, theme, data, value, x, y, { width, height }) {
  const gap = width > 14 && height > 14 ? 2 : 0;
  if (value !== null) {
    pen.fillStyle = `rgb(${colorOf(value, data).join()})`;
    pen.fillRect(x, y, width - gap, height - gap);
    return;
  }
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width - gap, height - gap);
  pen.clip();
  pen.strokeStyle = theme.line;
  pen.lineWidth = 1;
  for (let shift = -height; shift < width; shift += 5) {
    pen.beginPath();
    pen.moveTo(x + shift, y + height);
    pen.lineTo(x + shift + height, y);
    pen.stroke();
  }
  pen.restore();
}

function paintAxes(pen, theme, data, place) {
  const everyLayer = Math.ceil(14 / place.height);
  const everyHead = Math.ceil(20 / place.width);
  data.layers.forEach((number, layer) => {
    if (layer % everyLayer) return;
    paintText(pen, theme, number, place.left - 8, place.top + (layer + 0.5) * place.height, "right");
  });
  for (let head = 0; head < data.values[0].length; head += everyHead) {
    paintText(pen, theme, head + 1, place.left + (head + 0.5) * place.width, place.top - 10);
  }
  paintText(pen, theme, "mean", place.means + place.width / 2, place.top - 10);
  paintText(pen, theme, "head", place.left, place.top - 28, "left");
  paintText(pen, theme, "layer", 12, place.top - 10, "left");
}

function paintBar(pen, theme, data, place) {
  const length = place.bottom - place.top;
  for (let y = 0; y < length; y += 1) {
    const value = data.high - ((data.high - data.low) * y) / length;
    pen.fillStyle = `rgb(${colorOf(value, data).join()})`;
    pen.fillRect(place.bar, place.top + y, BAR_WIDTH, 1.5);
  }
  const ticks = ticksOf(data, length / 45);
  const decimals = tickDecimals(ticks);
  for (const tick of ticks) {
    const y = place.bottom - ((tick - data.low) / (data.high - data.low || 1)) * length;
    paintText(pen, theme, written(tick, decimals), place.bar + BAR_WIDTH + 6, y, "left");
  }
  pen.save();
  pen.translate(place.bar + BAR_WIDTH + 52, place.top + length / 2);
  pen.rotate(-Math.PI / 2);
  paintText(pen, theme, data.unit, 0, 0);
  pen.restore();
}
