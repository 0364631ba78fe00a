/**
 * The browser, as the parts that can be tested without one see it: sockets, storage, HTTP.
 * The session's secret is kept for this tab alone, and gone with it.
 */

import type { ModelInfo, Params } from './protocol';

export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export interface Credentials {
  url: string;
  session: string;
  secret: string;
}

/** No session: the HTTP status (0: no answer at all) and what the server said of it. */
export interface Refusal {
  status: number;
  message: string;
}

/** What the world gives: injected, so that tests have no network and no waiting. */
export interface World {
  /** The page's own address, the base of the server's. */
  base: string;
  socket(url: string): SocketLike;
  /** POST /v1/sessions. */
  createSession(base: string, model: string | null, token: string | null): Promise<Credentials | Refusal>;
  now(): number;
  random(): number;
  later(run: () => void, ms: number): number;
  cancel(timer: number): void;
  remember(credentials: Credentials | null): void;
}

const CREDENTIALS = 'riverrun.session';
const DRAWING = 'riverrun.drawing';
const TOKEN = 'riverrun.token';
const FINER = 'riverrun.finer';

export interface Drawing {
  /** What it was drawn for: its colours and words, until the server says what it serves now. */
  model: ModelInfo;
  params: Params;
  /** A PNG as a data URL. */
  canvas: string;
}

function read<T>(key: string): T | null {
  try {
    const text = sessionStorage.getItem(key);
    return text === null ? null : (JSON.parse(text) as T);
  } catch {
    return null; // storage is forbidden, or holds something else: begin anew
  }
}

function write(key: string, value: unknown): void {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // full or forbidden: a reload then begins anew, everything else works
  }
}

export const storedCredentials = (): Credentials | null => read<Credentials>(CREDENTIALS);
export const storedDrawing = (): Drawing | null => read<Drawing>(DRAWING);
export const storedFiner = (): boolean => read<boolean>(FINER) ?? true;
export const storeFiner = (finer: boolean): void => write(FINER, finer);
export const storeToken = (token: string): void => write(TOKEN, token);
export const storeDrawing = (drawing: Drawing | null): void => write(DRAWING, drawing);

/** The operator's token: from `?token=` (taken out of the address at once) or from before. */
export function takeToken(): string | null {
  const url = new URL(location.href);
  const token = url.searchParams.get('token');
  if (token === null) return read<string>(TOKEN);
  write(TOKEN, token);
  url.searchParams.delete('token');
  history.replaceState(null, '', url);
  return token;
}

export function browserWorld(): World {
  return {
    base: document.baseURI,
    socket: (url) => new WebSocket(url) as unknown as SocketLike,
    createSession,
    now: () => performance.now(),
    random: () => Math.random(),
    later: (run, ms) => window.setTimeout(run, ms),
    cancel: (timer) => window.clearTimeout(timer),
    remember: (credentials) => write(CREDENTIALS, credentials),
  };
}

async function createSession(
  base: string, model: string | null, token: string | null,
): Promise<Credentials | Refusal> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token !== null) headers['authorization'] = `Bearer ${token}`;
  try {
    const response = await fetch(new URL('v1/sessions', base), {
      method: 'POST', headers, body: JSON.stringify(model === null ? {} : { model }),
      signal: AbortSignal.timeout(8000),
    });
    if (response.status === 201) return (await response.json()) as Credentials;
    return { status: response.status, message: await complaint(response) };
  } catch {
    return { status: 0, message: '' };
  }
}

async function complaint(response: Response): Promise<string> {
  try {
    return String(((await response.json()) as { message?: unknown }).message ?? '');
  } catch {
    return ''; // a proxy's page, say
  }
}

/** The names of what this server serves; none where it can't be asked. */
export async function modelNames(base: string, token: string | null): Promise<string[]> {
  try {
    const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(new URL('v1/models', base), { headers });
    const body = (await response.json()) as { models?: Array<{ name?: unknown }> };
    return (body.models ?? []).flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
  } catch {
    return [];
  }
}
