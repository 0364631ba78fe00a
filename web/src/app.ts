/**
 * The page as a whole: makes the parts, ties them together, and says what happens in a frame.
 *
 * Role: the composition root. Each part has one owner and knows none of the others but through
 * what it was given here; anything longer than a line of glue belongs into a part.
 */

import { Surface } from './canvas';
import { Connection } from './connection';
import { Controls } from './controls';
import { Courier } from './courier';
import { byId } from './dom';
import { Easel } from './easel';
import { Example } from './example';
import { Finer } from './finer';
import { Ink } from './ink';
import { Latency } from './latency';
import { Loop } from './loop';
import { PicturePainter, type Painted } from './picture';
import { encodePng } from './png';
import type { InputInfo, ModelInfo, PictureFrame, RGB } from './protocol';
import { fromDataUrl, pixelsOf, toDataUrl } from './save';
import { PageSession } from './session';
import { Store, type PageState } from './store';
import { Strip } from './strip';
import { Studio } from './studio';
import * as world from './world';

const PAPER: RGB = [255, 255, 255];
const SIDE = 256;
const MELT_MS = 220;
const FADE_MS = 200;
const SETTLED_MS = 600;
const EXAMPLE = 'example/example.json';

const INPUT: InputInfo = { name: 'canvas', width: SIDE, height: SIDE, background: PAPER };
const NO_MODEL: ModelInfo = { name: '', title: '', parameters: [], tracks: [], inputs: [INPUT] };

const AT_FIRST: PageState = {
  link: 'connecting', detail: { message: '', fraction: null, seconds: null }, notice: '',
  model: NO_MODEL, models: [], params: {}, history: { undo: 0, redo: 0 },
  tool: 'brush', color: [110, 175, 235], size: 24, seedLocked: false, finer: true, view: 'over', peek: false,
  bare: false, touched: false, visible: true, awaiting: false, progress: 0,
};

export class App {
  readonly store: Store;
  readonly studio: Studio;
  readonly connection: Connection;
  readonly courier: Courier;
  readonly latency: Latency;
  readonly painter: PicturePainter;
  readonly session: PageSession;
  readonly finer: Finer;
  private readonly still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  private readonly kept = world.storedDrawing();
  private readonly loop = new Loop();
  private readonly ink: Ink;
  private readonly easel: Easel;
  private readonly strip: Strip;
  private token = world.takeToken();
  private example: Example | null = null;
  private settling = 0;

  constructor() {
    const touched = this.kept !== null;
    const { params, model } = { ...AT_FIRST, ...this.kept };
    const now = { touched, bare: touched, visible: !document.hidden, finer: world.storedFiner() };
    this.store = new Store({ ...AT_FIRST, params, model, ...now });
    const melt = this.still ? 0 : MELT_MS;
    this.ink = new Ink(byId('canvas'), { width: SIDE, height: SIDE }, this.wake, melt);
    this.painter = this.makePainter();
    this.session = this.makeSession();
    this.finer = this.makeFiner();
    this.connection = new Connection(
      world.browserWorld(), this.session, world.storedCredentials(), this.wants(), null, this.token,
    );
    this.latency = new Latency(this.connection.clock);
    this.courier = this.makeCourier();
    this.studio = this.makeStudio();
    this.easel = new Easel(this.store, this.studio, this.ink, this.wake);
    this.strip = new Strip((snapshot) => this.studio.restore(snapshot));
    new Controls(this);
    this.everyFrame();
    this.followLine();
    this.easel.reshape();
  }

  readonly wake = (): void => this.loop.wake();

  readonly say = (text: string): void => {
    byId('live').textContent = text;
  };

  useToken(token: string): void {
    this.token = token;
    world.storeToken(token);
    this.connection.useToken(token);
  }

  /** What was drawn before a reload, then the line, then (for who hasn't begun) the example. */
  async start(): Promise<void> {
    if (this.kept !== null) await this.bringBack(this.kept.canvas);
    this.connection.start();
    if (!this.store.state.touched) await this.playExample();
  }

  // --- the parts --------------------------------------------------------------------------------

  private makePainter(): PicturePainter {
    const fade = this.still ? 0 : FADE_MS;
    return new PicturePainter(byId('picture'), (picture: Painted) => this.onPainted(picture), this.wake, fade);
  }

  private makeSession(): PageSession {
    return new PageSession({
      store: this.store, ink: this.ink, painter: this.painter, wake: this.wake,
      connection: () => this.connection, courier: () => this.courier, latency: () => this.latency,
      finer: () => this.finer,
      surface: () => this.studio.surface,
      useSurface: (surface) => {
        this.studio.surface = surface;
        this.easel.reshape();
      },
    });
  }

  private makeFiner(): Finer {
    const { store, session, painter, wake } = this;
    return new Finer({
      store, wake, revision: () => session.revision,
      pending: () => this.connection.waiting > 0 || this.courier.unsent,
      drawing: () => this.easel.pen.drawing,
      shown: () => painter.shown,
      pass: (params) => this.courier.pass(params),
      settle: (frame, arrived, acknowledge) => painter.offer(frame, arrived, acknowledge, true),
      now: () => performance.now(),
      later: (run, ms) => window.setTimeout(run, ms),
      cancel: (timer) => window.clearTimeout(timer),
    });
  }

  private makeCourier(): Courier {
    return new Courier(this.connection, () => this.studio.surface, () => this.store.state.params, {
      sent: (id, madeAt, sentAt) => {
        this.ink.sent(id);
        this.latency.edit(id, madeAt, sentAt);
        this.finer.edited();
        window.clearTimeout(this.settling);
      },
    });
  }

  private makeStudio(): Studio {
    const { store, ink, connection, courier, wake, say } = this;
    const begin = (keep: boolean): void => this.begin(keep);
    const { width, height, background } = store.state.model.inputs[0] ?? INPUT;
    const surface = new Surface(width, height, background);
    return new Studio({ store, ink, connection, courier, wake, say, begin }, surface);
  }

  // --- the frame --------------------------------------------------------------------------------

  private everyFrame(): void {
    const { loop, store, courier, connection } = this;
    loop.add((now) => this.example?.tick(now) ?? false);
    loop.add(() => {
      if (store.state.touched) courier.flush();
      return store.state.touched && courier.unsent && connection.isLive;
    });
    loop.add((now) => this.painter.paint(now));
    loop.add(() => this.finer.tick()); // after the painting: it may be the last frame for long
    loop.add(() => this.easel.show());
    loop.add((now) => this.ink.draw(now));
    loop.add(() => this.expect());
  }

  /** Is a better picture coming, and how far is it? */
  private expect(): void {
    const { store, connection, courier, session, finer } = this;
    const { shown } = this.painter;
    const newer = session.revision > (shown?.revision ?? 0) && !finer.isMissing;
    const open = connection.waiting > 0 || courier.unsent || newer;
    const unfinished = shown !== null && !shown.final && shown.revision === session.revision;
    const awaiting = store.state.touched && connection.isLive && (open || unfinished);
    const progress = unfinished ? shown.step / shown.steps : awaiting ? finer.progress : 1;
    store.set({ awaiting, progress });
  }

  private onPainted(picture: Painted): void {
    const { frame, painted } = picture;
    const finer = this.finer.isFiner(frame); // the person did nothing that it would be the answer to
    this.ink.answered(frame.revision, painted);
    if (!finer) this.latency.painted(picture);
    this.easel.ambient(this.painter.element, painted);
    this.store.set(frame.replay || finer ? { bare: false } : { bare: false, notice: '' });
    window.clearTimeout(this.settling);
    if (frame.final) this.settling = window.setTimeout(() => this.collect(frame), finer ? 0 : SETTLED_MS);
  }

  /** Into the strip with it, if it's still what the person looks at. */
  private collect(frame: PictureFrame): void {
    if (!this.finer.isNewest(frame.revision) || this.courier.unsent || this.easel.pen.drawing) return;
    const picture = new Blob([frame.data], { type: `image/${frame.format}` });
    this.strip.add(picture, this.studio.snapshot());
  }

  // --- the line ---------------------------------------------------------------------------------

  private wants(): { pictures: boolean; previews: boolean } {
    const { touched, visible } = this.store.state;
    return { pictures: touched && visible, previews: true };
  }

  private followLine(): void {
    const { store, connection } = this;
    store.watch(['touched', 'visible'], () => connection.want(this.wants()));
    store.watch(['finer'], ({ finer }) => {
      world.storeFiner(finer);
      this.wake();
    });
    store.watch(['link'], ({ link, models }) => {
      if (link !== 'live' || models.length > 0) return;
      void world.modelNames(document.baseURI, this.token).then((names) => store.set({ models: names }));
    });
    document.addEventListener('visibilitychange', () => {
      store.set({ visible: !document.hidden });
      this.wake();
    });
    addEventListener('online', () => connection.retry());
    addEventListener('offline', () => {
      if (store.state.link === 'reconnecting') store.set({ link: 'offline' });
    });
    addEventListener('pagehide', () => this.keepDrawing());
  }

  // --- before and after -------------------------------------------------------------------------

  /** The first touch. `keep`: the words were touched, so the example's drawing becomes the person's. */
  private begin(keep: boolean): void {
    byId('hint').dataset['gone'] = 'true';
    if (this.example?.playing !== true) return;
    this.example.stop();
    this.ink.clear();
    if (keep) {
      this.example.finish();
      this.courier.setParams(['prompt']);
      return;
    }
    this.studio.surface.reset();
    this.studio.surface.unsent = null; // a new session's canvas is blank already
    const { model, params } = this.store.state;
    const prompt = model.parameters.find((parameter) => parameter.name === 'prompt')?.default ?? '';
    this.store.set({ params: { ...params, prompt } });
  }

  private async playExample(): Promise<void> {
    const { store, painter, ink, still, wake } = this;
    const scene = {
      surface: () => this.studio.surface, ink, still, wake,
      show: (picture: HTMLImageElement) => {
        painter.draw(picture);
        this.easel.ambient(painter.element, performance.now());
      },
      prompt: (prompt: string) => store.set({ params: { ...store.state.params, prompt } }),
    };
    const url = new URL(EXAMPLE, document.baseURI).href;
    const example = await Example.load(url, scene).catch(() => null); // without one the page is blank
    if (example === null || store.state.touched) return;
    this.example = example;
    if (store.state.model === NO_MODEL) store.set({ model: example.model });
    example.play();
  }

  private async bringBack(canvas: string): Promise<void> {
    byId('hint').dataset['gone'] = 'true';
    const { surface } = this.studio;
    surface.replace(await pixelsOf(new Blob([fromDataUrl(canvas)]), surface.width, surface.height));
    this.wake();
  }

  /** A reload brings the drawing back even where the server forgot it. */
  private keepDrawing(): void {
    if (!this.store.state.touched) return world.storeDrawing(null);
    const { params, pixels, width, height } = this.studio.snapshot();
    const { model } = this.store.state;
    world.storeDrawing({ model, params, canvas: toDataUrl(encodePng(pixels, width, height)) });
  }
}
