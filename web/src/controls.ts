/** Everything that a person can press, type or drop, tied to the app. */

import type { App } from './app';
import { Capsule } from './capsule';
import { drop } from './drop';
import { BRUSH_KEYS } from './easel';
import { help } from './help';
import { keys } from './keys';
import { palette } from './palette';
import { panel, type Actions } from './panel';
import { prompt } from './prompt';
import { download, fileName, withRecipe } from './save';
import { settings } from './settings';
import { releaseFocus, shortcuts } from './shortcuts';
import { sized } from './sizes';
import { publish } from './stats';

export class Controls {
  constructor(private readonly app: App) {
    const { store, studio, connection, courier, latency, painter, session } = app;
    const opener = drop(store, studio, app.say);
    const actions: Actions = { save: () => this.save(), open: opener.open, help: () => showHelp() };
    const { table, hold } = keys(store, studio, actions);
    const showHelp = help([...table, hold, ...BRUSH_KEYS]);
    shortcuts(table, hold);
    releaseFocus();
    panel(store, studio, actions);
    palette(store, studio);
    prompt(store, studio);
    settings(store, studio, (name) => connection.useModel(name));
    new Capsule({
      store, connection, latency, painter,
      useToken: (token) => app.useToken(token), fewerSteps: () => this.fewerSteps(),
    });
    publish({ store, connection, courier, latency, painter, session });
  }

  private save(): void {
    const { store, painter, studio, say } = this.app;
    const { params, model } = store.state;
    painter.finish();
    const { element } = painter;
    const snapshot = studio.snapshot();
    Object.assign(snapshot.params, sized(model, Math.max(element.width, element.height)));
    void withRecipe(element, snapshot, model.name).then((png) => {
      download(png, fileName(params, new Date()));
      say('Saved, with its recipe inside');
    });
  }

  private fewerSteps(): void {
    const { store, studio } = this.app;
    studio.setParam('steps', Math.max(1, Number(store.state.params['steps'] ?? 2) - 1));
  }
}
