/**
 * Parameters as a model takes them: kept values, a saved recipe and another model's habits may be
 * out of its range, and one that is refused takes all others of its edit with it.
 */

import type { ParameterInfo, Params, ParamValue } from './protocol';

/** What of `params` the model takes: in its range and length, of its type; the rest is left out. */
export function fitted(params: Params, infos: readonly ParameterInfo[]): Params {
  const out: Params = {};
  for (const info of infos) {
    const value = params[info.name];
    const fit = value === undefined ? undefined : typed(value, info);
    const choices = info.choices ?? [];
    if (fit !== undefined && (choices.length === 0 || choices.includes(fit))) out[info.name] = fit;
  }
  return out;
}

function typed(value: ParamValue, info: ParameterInfo): ParamValue | undefined {
  if (info.type === 'boolean') return typeof value === 'boolean' ? value : undefined;
  if (info.type === 'string') return typeof value === 'string' ? cut(value, info) : undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  const whole = info.type === 'integer' ? Math.round(value) : value;
  return Math.min(info.maximum ?? Infinity, Math.max(info.minimum ?? -Infinity, whole));
}

/** The server counts characters, not the halves of which some of them are made here. */
function cut(text: string, info: ParameterInfo): string {
  const most = info.max_length ?? Infinity;
  return text.length <= most ? text : [...text].slice(0, most).join('');
}
