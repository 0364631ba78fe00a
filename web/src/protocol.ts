/**
 * The wire protocol, version 1, as the page speaks it.
 *
 * Role: the types of every message and the codec of the two binary headers. The truth is
 * `streaming/protocol.py`; `tests/protocol.test.ts` holds this file to the golden wire files and to
 * the generated JSON Schema. It does not know sockets, sessions or pixels.
 */

export const VERSION = 1;
export const PATH = 'v1/session';

export type ParamValue = string | number | boolean;
export type Params = Record<string, ParamValue>;
export type Format = 'jpeg' | 'webp' | 'png';
export type RGB = readonly [number, number, number];

// --- client to server ---------------------------------------------------------------------------

export interface Hello {
  type: 'hello';
  version: number;
  client?: string;
  session?: string;
  secret?: string;
  model?: string;
  token?: string;
  credits?: number;
  format?: Format;
  quality?: number;
  pictures?: boolean;
  previews?: boolean;
}
export interface ParamsEdit { type: 'params'; id: number; params: Params; group?: number; passing?: boolean }
export interface Clear { type: 'clear'; id: number; group?: number }
export interface Undo { type: 'undo'; id: number }
export interface Redo { type: 'redo'; id: number }
export interface Demand { type: 'demand'; pictures: boolean; previews?: boolean }
export interface Ack { type: 'ack'; sequence: number }
export interface Ping { type: 'ping'; at: number }
export interface End { type: 'end' }

export type TextEdit = ParamsEdit | Clear | Undo | Redo;
export type ClientMessage = Hello | TextEdit | Demand | Ack | Ping | End;

// --- server to client ---------------------------------------------------------------------------

export interface ParameterInfo {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean';
  default: ParamValue;
  title?: string;
  description?: string;
  minimum?: number | null;
  maximum?: number | null;
  step?: number | null;
  max_length?: number | null;
  choices?: readonly ParamValue[];
}
export interface InputInfo { name: string; width: number; height: number; background: RGB }
export interface TrackInfo {
  name: string;
  medium: 'picture' | 'video' | 'audio';
  width: number;
  height: number;
  rate: number;
}
export interface SwatchInfo { name: string; color: RGB }
export interface WordGroupInfo { name: string; words: readonly string[]; synonyms?: readonly string[] }
export interface ModelInfo {
  name: string;
  title: string;
  parameters: readonly ParameterInfo[];
  inputs: readonly InputInfo[];
  tracks: readonly TrackInfo[];
  palette?: readonly SwatchInfo[];
  vocabulary?: readonly WordGroupInfo[];
  description?: string;
  licence?: string;
  max_batch?: number;
}
export interface HistoryInfo { undo: number; redo: number; truncated?: boolean }

export interface Welcome {
  type: 'welcome';
  version: number;
  session: string;
  secret: string;
  resumed: boolean;
  revision: number;
  last_edit: number;
  params: Params;
  canvas: boolean;
  history: HistoryInfo;
  model: ModelInfo;
  keep_seconds: number;
  max_message_bytes: number;
}
export interface Accepted { type: 'accepted'; id: number; revision: number; undo: number; redo: number }
export interface State {
  type: 'state';
  revision: number;
  params: Params;
  canvas: boolean;
  history: HistoryInfo;
}
export interface ErrorMessage {
  type: 'error';
  code: string;
  message: string;
  remedy?: string;
  retryable?: boolean;
  id?: number | null;
  revision?: number | null;
}
export interface Status {
  type: 'status';
  state: 'warming' | 'ready' | 'busy' | 'failed';
  stage?: string;
  fraction?: number;
  seconds_left?: number | null;
  message?: string;
}
export interface Draining { type: 'draining'; session: string; secret: string; retry_seconds: number }
export interface Moved { type: 'moved'; url: string }
export interface Pong { type: 'pong'; at: number; server: number }
export interface Ended { type: 'ended' }

export type ServerMessage =
  | Welcome | Accepted | State | ErrorMessage | Status | Draining | Moved | Pong | Ended;

const SERVER_TYPES: ReadonlySet<string> = new Set([
  'welcome', 'accepted', 'state', 'error', 'status', 'draining', 'moved', 'pong', 'ended',
]);

/** A server's text frame, or null for what this version doesn't know (which is then ignored). */
export function decodeText(text: string): ServerMessage | null {
  try {
    const value = JSON.parse(text) as { type?: unknown } | null;
    const known = typeof value?.type === 'string' && SERVER_TYPES.has(value.type);
    return known ? (value as ServerMessage) : null;
  } catch {
    return null;
  }
}

// --- binary frames ------------------------------------------------------------------------------

const KIND_CANVAS = 1;
const KIND_TILE = 2;
const KIND_PICTURE = 16;
const KIND_CANVAS_STATE = 17;
const FLAG_FINAL = 1;
const FLAG_REPLAY = 2;
const EDIT_BYTES = 16;
const PICTURE_BYTES = 72;
const CANVAS_STATE_BYTES = 8;
const FORMATS: readonly Format[] = ['jpeg', 'webp', 'png'];

export interface PictureEdit {
  id: number;
  group: number;
  x: number;
  y: number;
  tile: boolean;
  data: Uint8Array;
}

export interface StageTimes {
  queue: number;
  begin: number;
  step: number;
  decode: number;
  wait: number;
  encode: number;
}

export interface PictureFrame {
  kind: 'picture';
  track: number;
  step: number;
  steps: number;
  sequence: number;
  revision: number;
  job: number;
  width: number;
  height: number;
  pts: number;
  received: number;
  sent: number;
  times: StageTimes;
  format: Format;
  final: boolean;
  replay: boolean;
  data: Uint8Array<ArrayBuffer>;
}

export interface CanvasState {
  kind: 'canvas';
  revision: number;
  format: Format;
  data: Uint8Array<ArrayBuffer>;
}

/** A canvas or a tile as the bytes of one frame. */
export function encodePictureEdit(edit: PictureEdit): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(EDIT_BYTES + edit.data.length);
  const view = new DataView(out.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, edit.tile ? KIND_TILE : KIND_CANVAS);
  view.setUint32(4, edit.id);
  view.setUint32(8, edit.group);
  view.setUint16(12, edit.x);
  view.setUint16(14, edit.y);
  out.set(edit.data, EDIT_BYTES);
  return out;
}

/** A server's binary frame, or null where its header isn't one of version 1. */
export function decodeBinary(buffer: ArrayBuffer): PictureFrame | CanvasState | null {
  if (buffer.byteLength < CANVAS_STATE_BYTES) return null;
  const view = new DataView(buffer);
  const format = FORMATS[view.getUint8(3) - 1];
  if (view.getUint8(0) !== VERSION || format === undefined) return null;
  if (view.getUint8(1) === KIND_CANVAS_STATE) {
    const data = new Uint8Array(buffer, CANVAS_STATE_BYTES);
    return { kind: 'canvas', revision: view.getUint32(4), format, data };
  }
  if (view.getUint8(1) !== KIND_PICTURE || buffer.byteLength < PICTURE_BYTES) return null;
  return decodePicture(buffer, view, format);
}

function decodePicture(buffer: ArrayBuffer, view: DataView, format: Format): PictureFrame {
  const flags = view.getUint8(2);
  const stage = (index: number): number => view.getFloat32(48 + 4 * index);
  return {
    kind: 'picture',
    track: view.getUint16(4),
    step: view.getUint8(6),
    steps: view.getUint8(7),
    sequence: view.getUint32(8),
    revision: view.getUint32(12),
    job: view.getUint32(16),
    width: view.getUint16(20),
    height: view.getUint16(22),
    pts: Number(view.getBigUint64(24)),
    received: view.getFloat64(32),
    sent: view.getFloat64(40),
    times: {
      queue: stage(0), begin: stage(1), step: stage(2),
      decode: stage(3), wait: stage(4), encode: stage(5),
    },
    format,
    final: (flags & FLAG_FINAL) !== 0,
    replay: (flags & FLAG_REPLAY) !== 0,
    data: new Uint8Array(buffer, PICTURE_BYTES),
  };
}
