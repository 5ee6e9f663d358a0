// Brings back the widgets that JupyterLab lost while it opened a notebook.
//
// On a busy machine a saved widget's place sometimes says "Error displaying widget: model not found", or "Loading
// widget...", until the notebook is closed and opened again. ipywidgets' manager for JupyterLab has three races:
// 1. A renderer looks for its model for two seconds, again and again; if the model comes and all is restored after
//    its last look, it gives up all the same (since ipywidgets 8.1.9).
// 2. The kernel's connection breaks while the manager is about to read the widgets that the notebook has saved.
//    Connected again, it asks the kernel alone (`loadNotebook: false`), which knows none, and takes all as restored.
// 3. The connection breaks a moment earlier, when it has asked the kernel: it waits for the answer for ever.
// The notebook has all that is needed. So where the error appears, the output's still picture takes its place before
// the browser paints it; then the manager reads the notebook once more, and the widget is rendered again. Where the
// notebook has saved no such widget, the picture stays. After 3 the manager begins anew. Where all is well, nothing
// is done.
//
// What begins with _ and `restoreWidgets` belong to the manager alone. They are the same in every version that the
// course allows; should they go, the promises below fail, nobody waits for them, and the picture stays.

(() => {
  const WIDGET = "application/vnd.jupyter.widget-view+json";
  // As the manager's renderer writes it in a widget's place.
  const LOST = "Error displaying widget: model not found", WAITING = "Loading widget...";
  const PATIENCE = 2000;  // milliseconds in which a kernel that is connected again should have answered

  /**
   * What is used of JupyterLab.
   * @typedef {{ data: Record<string, any>, metadata: Record<string, any> }} Output
   * @typedef {{ connect(slot: (sender: any, value: any) => void): void }} Signal
   * @typedef {{ model: any, sessionContext: { connectionStatusChanged: Signal } }} Context
   * @typedef {{ has_model(id: string): boolean, get_model(id: string): Promise<any>, restoredStatus: boolean,
   *   restoreWidgets(model: any): Promise<void>, _loadFromNotebook(model: any): Promise<void> }} Manager
   * @typedef {{ node: HTMLElement, mimeType?: string, _manager: { promise: Promise<Manager> },
   *   _rerenderMimeModel: Output | null, renderModel(output: Output): Promise<void> }} Renderer
   * @typedef {{ widgets: { children(): Iterable<Renderer> }[], model: { get(index: number): Output } }} OutputArea
   * @typedef {{ content: { node: HTMLElement, widgets: { outputArea?: OutputArea }[] } }} Panel
   */

  /** Every widget's place in a notebook, and its output. @param {Panel} panel */
  function* placesIn(panel) {
    for (const { outputArea } of panel.content.widgets) {
      if (!outputArea) continue;  // text, or a cell that JupyterLab has not built yet
      for (const [index, item] of outputArea.widgets.entries())
        for (const renderer of item.children())
          if (renderer.mimeType === WIDGET) yield { renderer, output: outputArea.model.get(index) };
    }
  }

  /** The words in a place without a widget. @param {Renderer} renderer */
  const says = renderer => renderer.node.firstChild?.nodeValue;

  /** What places without widgets show: the output's picture, or else its text. @param {Output} output */
  function still({ data, metadata }) {
    const text = [data["text/plain"] ?? ""].flat().join("");
    if (!data["image/png"]) return Object.assign(document.createElement("pre"), { textContent: text });
    const image = document.createElement("img");
    image.src = `data:image/png;base64,${data["image/png"]}`;
    image.alt = metadata["image/png"]?.alt ?? text;
    image.style.maxWidth = "100%";
    return image;
  }

  /**
   * Show the still picture at once, and the widget as soon as the manager has its model.
   * @param {Renderer} renderer @param {Output} output @param {Context} context
   */
  async function rescue(renderer, output, context) {
    const { model_id: id } = output.data[WIDGET], picture = still(output);
    renderer.node.replaceChildren(picture);
    renderer.node.classList.remove("jupyter-widgets");  // which came with the error
    renderer._rerenderMimeModel = output;  // whenever the manager restores more, it renders again
    const manager = await renderer._manager.promise;
    if (!manager.has_model(id)) await manager._loadFromNotebook(context.model);
    await manager.get_model(id);  // fails where the notebook has not saved it: the picture stays
    if (picture.parentNode !== renderer.node) return;  // it has rendered again
    renderer._rerenderMimeModel = null;  // or the widget might be shown twice
    await renderer.renderModel(output);
  }

  /**
   * If a widget's place still waits for the manager to restore it, the manager waits in vain.
   * @param {Panel} panel @param {Context} context
   */
  async function beginAnew(panel, context) {
    for (const { renderer } of placesIn(panel)) {
      if (says(renderer) !== WAITING) continue;
      const manager = await renderer._manager.promise;
      if (!manager.restoredStatus) await manager.restoreWidgets(context.model);
    }
  }

  /** Look after a notebook as long as it is open. @param {Panel} panel @param {Context} context */
  function watch(panel, context) {
    const forgive = () => {};
    // Called before the browser paints; a cell that is out of the page is looked at when it comes in, or before.
    const observer = new MutationObserver(() => {
      for (const { renderer, output } of placesIn(panel))
        if (says(renderer) === LOST) rescue(renderer, output, context).catch(forgive);
    });
    observer.observe(panel.content.node, { childList: true, subtree: true });
    let wasConnected = false;
    context.sessionContext.connectionStatusChanged.connect((_, status) => {
      if (status !== "connected") return;
      if (wasConnected) setTimeout(() => beginAnew(panel, context).catch(forgive), PATIENCE);
      wasConnected = true;
    });
    return { isDisposed: false, dispose: () => observer.disconnect() };
  }

  const plugin = {
    id: "lost-widgets:plugin",
    description: "Brings back the widgets that JupyterLab lost while it opened a notebook.",
    autoStart: true,
    /** @param {any} app */
    activate: app => { app.docRegistry.addWidgetExtension("Notebook", { createNew: watch }); },
  };

  // What JupyterLab expects of an extension, and a bundler would write: a container that gives its module.
  const containers = /** @type {any} */ (window)._JUPYTERLAB ??= {};
  containers["lost-widgets"] = { init() {}, get: async () => () => ({ default: plugin, __esModule: true }) };
})();
