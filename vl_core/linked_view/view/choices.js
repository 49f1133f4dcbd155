// The controls above and below the picture.
const OPTIONS = {
  scaling: [["map", "per map"], ["shared", "shared"]],
  patches: [["blocks", "blocks"], ["smooth", "smooth"]],
  picture: [["dimmed", "dimmed"], ["plain", "plain"], ["hidden", "hidden"]],
  regions: [["shown", "shown"], ["hidden", "hidden"]],
  pointing: [["lights", "lights up"], ["reads", "reads values"]],
};
const DIRECTIONS = [["looks_at", "looks at"], ["looked_at_by", "is looked at by"]];
const POSITIONS = [["predicts", "predicts it"], ["reads", "reads it"]];
const MOST_BUTTONS = 16; // heads beyond that are chosen from a menu
const EXPLAINED = {
  map: "The picture and the words each have a scale of their own, up to the largest weight shown; neither ends below 1/20 of the other, so that next to nothing stays dark",
  shared: "One scale for all tokens of this layer and head, so that maps can be compared",
  blocks: "One color for each box, as the model has it",
  smooth: "Blurred between boxes: easier on the eye, but finer than the model sees",
  "regions-shown": "What the example says is there, by its own boxes; the model is not told of them",
  lights: "Pointing shows what that token looks at; the pinned one comes back afterwards",
  reads: "The map stays as pinned; pointing reads its values",
  predicts: "A word of the answer is shown at the position before it, whose output it was chosen from",
  "position-reads": "A word of the answer is shown at its own position, where the model reads it back",
};

// Native radio buttons: arrow keys and screen readers work by themselves.
function buildChoice(state, name, entries, chosen, choose) {
  const labels = entries.map(([value, text]) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "radio";
    input.name = name;
    input.value = String(value);
    input.checked = value === chosen;
    input.addEventListener("change", () => choose(value));
    const face = document.createElement("span");
    face.textContent = text;
    label.title = EXPLAINED[`${name}-${value}`] ?? EXPLAINED[value] ?? "";
    label.append(input, face);
    return label;
  });
  state.find(`[data-choice="${name}"]`).replaceChildren(...labels);
}

function buildMenu(state, name, entries, choose) {
  const menu = document.createElement("select");
  menu.ariaLabel = capitalized(name);
  menu.append(...entries.map(([value, text]) => new Option(text, String(value))));
  menu.addEventListener("change", () => choose(entries[menu.selectedIndex][0]));
  state.find(`[data-choice="${name}"]`).replaceChildren(menu);
}

function check(state, name, value) {
  const place = state.find(`[data-choice="${name}"]`);
  for (const input of place.querySelectorAll("input")) input.checked = input.value === String(value);
  const menu = place.querySelector("select");
  if (menu) menu.value = String(value);
}

// Offers a choice or takes it away, and says why.
function allow(state, name, value, isAllowed, why) {
  const input = [...state.find(`[data-choice="${name}"]`).querySelectorAll("input")].find((one) => one.value === String(value));
  if (!input) return;
  input.disabled = !isAllowed;
  input.parentElement.title = isAllowed ? (EXPLAINED[`${name}-${value}`] ?? EXPLAINED[value] ?? "") : why;
}

function buildChoices(state) {
  const { data, find, options } = state;
  const heads = Array.from({ length: data.heads }, (_, head) => [head, String(head + 1)]);
  const chooseHead = (head) => select(state, { head });
  if (data.heads > MOST_BUTTONS) buildMenu(state, "head", [...heads, [null, "mean of all"]], chooseHead);
  else buildChoice(state, "head", [...heads, [null, "mean"]], state.selection.head, chooseHead);
  buildChoice(state, "direction", DIRECTIONS, state.selection.direction, (direction) => select(state, { direction }));
  buildChoice(state, "position", POSITIONS, state.selection.position, (position) => select(state, { position }));
  for (const [name, entries] of Object.entries(OPTIONS)) {
    buildChoice(state, name, entries, options[name], (value) => {
      options[name] = value;
      refresh(state);
    });
  }
  find("#layer").max = data.layerNumbers.length - 1;
  const isWhole = data.isWhole;
  find("#mean-layers").disabled = !isWhole;
  find("#mean-layers").parentElement.title = isWhole
    ? "Mean over all layers"
    : "This trace is too large to hold all its layers in the browser";
}

// Views of the picture are those of the side whose patches are on show.
function buildViews(state) {
  const { views, noun } = picturedTable(state) ?? { views: [""], noun: null };
  if (noun) nameBoxes(state, noun);
  state.find(".views").hidden = views.length < 2;
  buildChoice(state, "view", views.map((name) => [name, name]), state.selection.view, (view) => select(state, { view }));
}

// What lies on the picture is called by its name: patches, or regions that a detector found.
function nameBoxes({ find }, { one, many }) {
  find(".views legend").textContent = `${capitalized(many)} of`;
  find(".drawn legend").textContent = capitalized(many);
  find(".unseen").textContent = `No ${one} covers the darkened part: the model did not see it.`;
}

function showChoices(state) {
  const { data, find, selection, options } = state;
  find("#layer").value = selection.layer;
  find("#layer").disabled = selection.allLayers;
  find(".layer-number").textContent = selection.allLayers ? "all" : data.layerNumbers[selection.layer];
  find("#mean-layers").checked = selection.allLayers;
  check(state, "head", selection.head);
  check(state, "direction", selection.direction);
  check(state, "position", selection.position);
  const pictured = picturedTable(state);
  if (pictured) check(state, "view", pictured.views[shownView(state, pictured)]);
  find(".positions").hidden = !data.offersPosition;
  const isRow = selection.direction === "looks_at";
  for (const [value] of POSITIONS) allow(state, "position", value, isRow, "Who looks at a token is told of every position that reads");
  allow(state, "pointing", "lights", canPoint(state), `The mean of ${data.heads} heads is worked out for what is pinned; pointing reads its values`);
  allow(state, "scaling", "shared", topOfAll(state) !== null, "No one scale is known for this mean of heads: it would take all their weights");
  find(".stage img").style.filter = PICTURE_FILTERS[options.picture];
  find(".regions").hidden = !data.regions.length;
  check(state, "regions", showsRegions(state) ? "shown" : "hidden");
  find(".unseen").hidden = !data.size || !isPartlyUnseen(state);
  namePlayButton(state);
}

function listenToChoices(state) {
  state.find("#layer").addEventListener("input", (event) => select(state, { layer: Number(event.target.value) }));
  state.find("#mean-layers").addEventListener("change", (event) => select(state, { allLayers: event.target.checked }));
  state.find(".play").addEventListener("click", () => play(state));
  state.find(".png").addEventListener("click", () => savePicture(state));
}
