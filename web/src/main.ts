/**
 * The page's composition root: makes the parts, ties them together, and does nothing else.
 */

import { Surface } from './canvas';
import { Capsule } from './capsule';
import { Connection } from './connection';
import { Courier } from './courier';
import { byId } from './dom';
import { drop } from './drop';
import { Easel } from './easel';
import { Example } from './example';
import { help } from './help';
import { Ink } from './ink';
import { keys } from './keys';
import { Latency } from './latency';
import { Loop } from './loop';
import { palette } from './palette';
import { panel } from './panel';
import { PicturePainter, type Painted } from './picture';
import { encodePng } from './png';
import { prompt } from './prompt';
import type { ModelInfo, RGB } from './protocol';
import { download, fileName, fromDataUrl, pixelsOf, toDataUrl, withRecipe } from './save';
import { PageSession } from './session';
import { settings } from './settings';
import { releaseFocus, shortcuts } from './shortcuts';
import { publish } from './stats';
import { Store } from './store';
import { Strip } from './strip';
import { Studio } from './studio';
import {
  browserWorld, modelNames, storedCredentials, storedDrawing, storeDrawing, storeToken, takeToken,
} from './world';

const PAPER: RGB = [255, 255, 255];
const SETTLED_MS = 600;
const EXAMPLE = 'example/example.json';

const NO_MODEL: ModelInfo = {
  name: '', title: '', parameters: [], tracks: [],
  inputs: [{ name: 'canvas', width: 256, height: 256, background: PAPER }],
};

function main(): void {
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  let token = takeToken();
  const kept = storedDrawing();
  const store = new Store({
    link: 'connecting', detail: { message: '', fraction: null, seconds: null }, notice: '',
    model: NO_MODEL, models: [], params: kept?.params ?? {}, history: { undo: 0, redo: 0 },
    tool: 'brush', color: [110, 175, 235], size: 24, seedLocked: false, view: 'over', peek: false,
    touched: kept !== null, visible: !document.hidden, awaiting: false, progress: 0,
  });
  const loop = new Loop();
  const say = (text: string): void => void (byId('live').textContent = text);

  const ink = new Ink(byId('canvas'), { width: 256, height: 256 }, loop.wake, () => (still ? 0 : 220));
  const painter = new PicturePainter(
    byId('picture'),
    { acknowledge: (sequence) => connection.acknowledge(sequence), painted: (picture) => onPainted(picture) },
    loop.wake,
  );
  let example: Example | null = null;

  const session: PageSession = new PageSession({
    store, ink, painter, wake: loop.wake,
    connection: () => connection, courier: () => courier, latency: () => latency,
    surface: () => studio.surface,
    useSurface: (surface) => {
      studio.surface = surface;
      easel.reshape();
    },
  });
  const wants = (): { pictures: boolean; previews: boolean } => ({
    pictures: store.state.touched && store.state.visible, previews: true,
  });
  const connection: Connection = new Connection(
    browserWorld(), session, storedCredentials(), wants(), null, token,
  );
  const latency = new Latency(connection.clock);
  const courier: Courier = new Courier(connection, () => studio.surface, () => store.state.params, {
    sent: (id, madeAt, sentAt) => {
      ink.sent(id);
      latency.edit(id, madeAt, sentAt);
      forgetSettling();
    },
  });
  const studio: Studio = new Studio(
    {
      store, ink, connection, courier, wake: loop.wake, say,
      begin: (keep) => {
        byId('hint').dataset['gone'] = 'true';
        if (example?.playing !== true) return;
        example.stop();
        ink.clear();
        if (keep) {
          example.finish();
          courier.setParams(['prompt']);
        } else {
          studio.surface.reset();
          studio.surface.unsent = null; // a new session's canvas is blank already
          store.set({ params: { ...store.state.params, prompt: defaultPrompt(store) } });
        }
      },
    },
    new Surface(256, 256, PAPER),
  );
  const easel: Easel = new Easel(store, studio, ink, loop.wake);
  const strip = new Strip((snapshot) => studio.restore(snapshot));

  // --- the frame ----------------------------------------------------------------------------
  loop.add((now) => (example?.playing === true ? example.tick(now) : false));
  loop.add(() => {
    if (store.state.touched) courier.flush();
    return store.state.touched && courier.unsent && connection.isLive;
  });
  loop.add(() => painter.paint());
  loop.add(() => easel.show());
  loop.add((now) => ink.draw(now));
  loop.add(() => await_(store, connection, courier, painter, session.revision));

  // --- pictures -----------------------------------------------------------------------------
  let settling = 0;
  const forgetSettling = (): void => window.clearTimeout(settling);
  const onPainted = (picture: Painted): void => {
    const { frame } = picture;
    ink.answered(frame.revision, picture.painted);
    latency.painted(picture);
    easel.ambient(painter.element, picture.painted);
    if (store.state.notice !== '' && !frame.replay) store.set({ notice: '' });
    forgetSettling();
    if (!frame.final) return;
    settling = window.setTimeout(() => {
      const quiet = frame.revision === session.revision && !courier.unsent && !easel.pen.drawing;
      if (quiet) strip.add(new Blob([frame.data], { type: `image/${frame.format}` }), studio.snapshot());
    }, SETTLED_MS);
  };

  // --- controls -----------------------------------------------------------------------------
  const save = (): void => {
    const { params, model } = store.state;
    void withRecipe(painter.element, studio.snapshot(), model.name).then((png) => {
      download(png, fileName(params, new Date()));
      say('Saved, with its recipe inside');
    });
  };
  const opener = drop(store, studio, say);
  const { table, hold } = keys(store, studio, { save, open: opener.open, help: () => showHelp() });
  const showHelp = help(table, hold);
  shortcuts(table, hold);
  releaseFocus();
  panel(store, studio, { save, open: opener.open, help: showHelp });
  palette(store, studio);
  prompt(store, studio);
  settings(store, studio, (name) => connection.useModel(name));
  byId('prompt').addEventListener('focus', () => studio.touch(true));
  new Capsule({
    store, connection, latency, painter,
    useToken: (given) => {
      token = given;
      storeToken(given);
      connection.useToken(given);
    },
    fewerSteps: () => studio.setParam('steps', Math.max(1, Number(store.state.params['steps'] ?? 2) - 1)),
  });
  publish({ store, connection, courier, latency, painter, revision: () => session.revision });

  // --- the line -----------------------------------------------------------------------------
  store.watch(['touched', 'visible'], () => connection.want(wants()));
  store.watch(['link'], ({ link, models }) => {
    if (link !== 'live' || models.length > 0) return;
    void modelNames(document.baseURI, token).then((names) => store.set({ models: names }));
  });
  document.addEventListener('visibilitychange', () => {
    store.set({ visible: !document.hidden });
    loop.wake();
  });
  addEventListener('online', () => connection.retry());
  addEventListener('offline', () => {
    if (store.state.link === 'reconnecting') store.set({ link: 'offline' });
  });
  addEventListener('pagehide', () => keepDrawing(store, studio));
  easel.reshape();
  void start();

  async function start(): Promise<void> {
    if (kept !== null) {
      byId('hint').dataset['gone'] = 'true';
      const png = new Blob([fromDataUrl(kept.canvas)]);
      studio.surface.replace(await pixelsOf(png, studio.surface.width, studio.surface.height));
      loop.wake();
    }
    connection.start();
    if (store.state.touched) return;
    example = await Example.load(new URL(EXAMPLE, document.baseURI).href, {
      surface: () => studio.surface, ink, still, wake: loop.wake,
      show: (picture) => {
        painter.draw(picture);
        easel.ambient(painter.element, performance.now());
      },
      prompt: (text) => store.set({ params: { ...store.state.params, prompt: text } }),
    }).catch(() => null); // without a recording the page is simply blank
    if (example === null || store.state.touched) return;
    if (store.state.model === NO_MODEL) store.set({ model: example.model });
    example.play();
  }
}

/** Is a better picture coming, and how far is it? */
function await_(
  store: Store, connection: Connection, courier: Courier, painter: PicturePainter, revision: number,
): void {
  const { shown } = painter;
  const open = connection.waiting > 0 || courier.unsent || revision > (shown?.revision ?? 0);
  const unfinished = shown !== null && !shown.final && shown.revision === revision;
  const awaiting = store.state.touched && connection.isLive && (open || unfinished);
  store.set({ awaiting, progress: unfinished ? shown.step / shown.steps : awaiting ? 0.06 : 1 });
}

function defaultPrompt(store: Store): string {
  const info = store.state.model.parameters.find((parameter) => parameter.name === 'prompt');
  return String(info?.default ?? '');
}

/** A reload brings the drawing back even where the server forgot it. */
function keepDrawing(store: Store, studio: Studio): void {
  if (!store.state.touched) return storeDrawing(null);
  const { params, pixels, width, height } = studio.snapshot();
  storeDrawing({ params, canvas: toDataUrl(encodePng(pixels, width, height)) });
}

main();
