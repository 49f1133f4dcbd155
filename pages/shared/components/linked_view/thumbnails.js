// All heads of a layer as small maps for the pinned tokens; a click selects that head.
const THUMBNAIL = 96; // raster pixels on the longer side

function buildThumbnails(state) {
  const { data, find } = state;
  state.thumbnailRaster = data.size ? rasterOf(data, THUMBNAIL) : null;
  state.thumbnails = Array.from({ length: data.heads }, (_, head) => thumbnail(state, head));
  find(".thumbnails").style.setProperty("--columns", thumbnailColumns(data.heads));
  find(".thumbnails").replaceChildren(...state.thumbnails.map(({ button }) => button));
}

// Full rows where that is possible, and three rows at most.
function thumbnailColumns(heads) {
  for (let columns = Math.max(4, Math.ceil(heads / 3)); columns <= 8; columns++) {
    if (heads % columns === 0) return columns;
  }
  return Math.min(heads, 8);
}

function thumbnail(state, head) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "thumbnail";
  const caption = document.createElement("span");
  caption.textContent = head + 1;
  const bars = document.createElement("span");
  bars.className = "bars";
  const parts = ["text", "image", "special"].map((kind) => {
    const part = document.createElement("i");
    part.className = kind;
    return part;
  });
  bars.append(...parts);
  const canvas = document.createElement("canvas");
  if (state.thumbnailRaster) {
    canvas.width = state.thumbnailRaster.columns;
    canvas.height = state.thumbnailRaster.rows;
    button.append(canvas);
  }
  button.append(caption, bars);
  button.addEventListener("click", () => select(state, { head }));
  return { button, canvas, parts, bars };
}

function drawThumbnails(state) {
  const { data, selection } = state;
  const chosen = pinnedTokens(state);
  const profiles = state.thumbnails.map((_, head) =>
    profile(weightsOf(state, head), data.kinds.length, chosen, selection.direction));
  const tops = profiles.map((values) => ownTops(values, data.kinds).picture);
  const common = Math.max(...tops);
  const isShared = state.options.scaling === "shared";
  state.thumbnails.forEach((small, head) => {
    if (state.thumbnailRaster) drawThumbnail(state, small.canvas, profiles[head], isShared ? common : tops[head]);
    describeThumbnail(state, small, head, byKind(profiles[head], data.kinds));
  });
  state.find(".all-heads h3").textContent = headsTitle(state, chosen, isShared ? common : null);
}

function drawThumbnail(state, canvas, values, top) {
  const { owner } = state.thumbnailRaster;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < owner.length; i++) {
    if (owner[i] < 0) continue;
    image.data.set(LEVEL_RGB[levelOf(values[owner[i]], top)], 4 * i);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function describeThumbnail(state, { button, parts, bars }, head, kinds) {
  const isRow = state.selection.direction === "looks_at";
  bars.hidden = !isRow; // a column is no distribution, so it has no shares
  const numbers = ["text", "image", "special"].map((kind) => percent(isRow ? kinds[kind].sum : kinds[kind].mean));
  parts.forEach((part) => (part.style.width = `${100 * kinds[part.className].sum}%`));
  button.setAttribute("aria-pressed", head === state.selection.head);
  const told = isRow ? "" : " on average";
  button.ariaLabel = button.title = `Head ${head + 1}: text ${numbers[0]}, image ${numbers[1]}, specials ${numbers[2]}${told}`;
}

function headsTitle(state, chosen, top) {
  const who = nameOf(state, chosen);
  const what = state.selection.direction === "looks_at" ? `where ${who} looks in the picture` : `which patches look at ${who}`;
  const scale = top === null ? "each map on its own scale" : `all maps on one scale, 0 to ${percent(top)}`;
  return `All heads of ${layerName(state)}: ${what}; ${scale}`;
}
