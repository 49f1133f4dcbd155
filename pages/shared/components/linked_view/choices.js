// The controls above and below the picture.
const OPTIONS = {
  scaling: [["map", "per map"], ["shared", "shared"]],
  patches: [["blocks", "blocks"], ["smooth", "smooth"]],
  picture: [["dimmed", "dimmed"], ["plain", "plain"], ["hidden", "hidden"]],
  pointing: [["lights", "lights up"], ["reads", "reads values"]],
};
const DIRECTIONS = [["looks_at", "looks at"], ["looked_at_by", "is looked at by"]];
const EXPLAINED = {
  map: "The picture and the words each have a scale of their own, up to the largest weight shown; neither ends below 1/20 of the other, so that next to nothing stays dark",
  shared: "One scale for all tokens of this layer and head, so that maps can be compared",
  blocks: "One color for each patch, as the model has it",
  smooth: "Blurred between patches: easier on the eye, but finer than the model sees",
  lights: "Pointing shows what that token looks at; the pinned one comes back afterwards",
  reads: "The map stays as pinned; pointing reads its values",
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
    if (EXPLAINED[value]) label.title = EXPLAINED[value];
    label.append(input, face);
    return label;
  });
  state.find(`[data-choice="${name}"]`).replaceChildren(...labels);
}

function check(state, name, value) {
  for (const input of state.find(`[data-choice="${name}"]`).querySelectorAll("input")) {
    input.checked = input.value === String(value);
  }
}

function buildChoices(state) {
  const { data, find, options } = state;
  const heads = Array.from({ length: data.heads }, (_, head) => [head, String(head + 1)]);
  buildChoice(state, "head", [...heads, [null, "mean"]], state.selection.head, (head) => select(state, { head }));
  buildChoice(state, "direction", DIRECTIONS, state.selection.direction, (direction) => select(state, { direction }));
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

function showChoices(state) {
  const { data, find, selection, options } = state;
  find("#layer").value = selection.layer;
  find("#layer").disabled = selection.allLayers;
  find(".layer-number").textContent = selection.allLayers ? "all" : data.layerNumbers[selection.layer];
  find("#mean-layers").checked = selection.allLayers;
  check(state, "head", selection.head);
  check(state, "direction", selection.direction);
  find(".stage img").style.filter = PICTURE_FILTERS[options.picture];
}

function listenToChoices(state) {
  state.find("#layer").addEventListener("input", (event) => select(state, { layer: Number(event.target.value) }));
  state.find("#mean-layers").addEventListener("change", (event) => select(state, { allLayers: event.target.checked }));
  state.find(".play").addEventListener("click", () => play(state));
  state.find(".png").addEventListener("click", () => savePicture(state));
}
