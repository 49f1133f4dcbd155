// All heads of a layer as small maps for the pinned tokens; a click selects that head.
const THUMBNAIL = 96; // raster pixels on the longer side

const FEW = 12; // heads; more of them take the width of the page

// Made anew when another side answers: its patches and kinds of token are others.
function buildThumbnails(state) {
  const { data, find } = state;
  state.thumbnails = Array.from({ length: data.heads }, (_, head) => thumbnail(state, head));
  find(".view").dataset.heads = data.heads > FEW ? "many" : "few";
  find(".thumbnails").style.setProperty("--columns", thumbnailColumns(data.heads));
  find(".thumbnails").replaceChildren(...state.thumbnails.map(({ button }) => button));
}

// Full rows where that is possible.
function thumbnailColumns(heads) {
  const wanted = heads > FEW ? [16, 15, 14, 13, 12, 11, 10, 9, 8] : [4, 5, 6, 7, 8].filter((columns) => heads <= 3 * columns);
  return wanted.find((columns) => heads % columns === 0) ?? Math.min(heads, wanted.at(heads > FEW ? 4 : -1));
}

function thumbnail(state, head) {
  const table = answering(state);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "thumbnail";
  const caption = document.createElement("span");
  caption.textContent = head + 1;
  const bars = document.createElement("span");
  bars.className = "bars";
  const parts = table.parts.map(({ kind, tint }) => {
    const part = document.createElement("i");
    part.className = kind;
    if (tint) part.style.setProperty("--tint", tint);
    return part;
  });
  bars.append(...parts);
  const canvas = document.createElement("canvas");
  if (hasPatches(table)) button.append(canvas);
  button.append(caption, bars);
  button.addEventListener("click", () => select(state, { head }));
  return { button, canvas, parts, bars };
}

// Drawn as soon as all heads' values are there; until then those of the pinned token before fade.
function drawThumbnails(state) {
  const { find } = state;
  const chosen = pinnedTokens(state);
  const profiles = state.thumbnails.map((_, head) => headProfile(state, head, chosen));
  const areHere = profiles.every(Boolean);
  find(".thumbnails").classList.toggle("stale", !areHere);
  state.awaitsHeads = !areHere;
  watch(state);
  state.thumbnails.forEach(({ button }, head) => button.setAttribute("aria-pressed", head === state.selection.head));
  if (!areHere) return;
  const tops = profiles.map((values) => ownTops(state, values).picture);
  const common = Math.max(...tops);
  const isShared = state.options.scaling === "shared";
  state.thumbnails.forEach((small, head) => {
    if (hasPatches(answering(state))) drawThumbnail(state, small.canvas, profiles[head], isShared ? common : tops[head]);
    describeThumbnail(state, small, head, byPart(profiles[head], answering(state)));
  });
  find(".all-heads h3").textContent = headsTitle(state, chosen, isShared ? common : null);
}

// A single head's profile may be worked out here when all heads' together would take too long.
function headProfile(state, head, chosen) {
  const all = headsOf(state, null);
  return isLocal(state, all, chosen.length) ? profileOf(state, head, chosen) : sent(state, [head], chosen);
}

function drawThumbnail(state, canvas, values, top) {
  const { owner, columns, rows } = shownRaster(state, THUMBNAIL);
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let i = 0; i < owner.length; i++) {
    if (owner[i] < 0) continue;
    image.data.set(LEVEL_RGB[levelOf(values[owner[i]], top)], 4 * i);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function describeThumbnail(state, { button, parts, bars }, head, found) {
  const isRow = state.selection.direction === "looks_at";
  bars.hidden = !isRow; // a column is no distribution, so it has no shares
  const told = answering(state).parts.map(({ label }, part) => `${label} ${percent(isRow ? found[part].sum : found[part].mean)}`);
  parts.forEach((bar, part) => (bar.style.width = `${100 * found[part].sum}%`));
  button.ariaLabel = button.title = `Head ${head + 1}: ${told.join(", ")}${isRow ? "" : " on average"}`;
}

function headsTitle(state, chosen, top) {
  const who = nameOf(state, chosen);
  const isRow = state.selection.direction === "looks_at";
  if (!hasPatches(answering(state))) return `All heads of ${layerName(state)}: ${isRow ? `where ${who} looks` : `what looks at ${who}`}`;
  const what = isRow ? `where ${who} looks in the picture` : `which ${answering(state).noun.many} look at ${who}`;
  const scale = top === null ? "each map on its own scale" : `all maps on one scale, 0 to ${percent(top)}`;
  return `All heads of ${layerName(state)}: ${what}; ${scale}`;
}
