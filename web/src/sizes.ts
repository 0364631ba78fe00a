/**
 * The parameter `size`, by which a model paints the same picture finer (docs/protocol.md): the page
 * sets it by itself, so it is neither a control nor part of what a person did.
 */

import type { ModelInfo, ParameterInfo, Params } from './protocol';

const SIZE = 'size';

function own(info: ParameterInfo): boolean {
  return info.name === SIZE && info.type === 'integer' && (info.choices ?? []).length > 1;
}

/** The parameters that are a person's to set. */
export function settable(model: ModelInfo): readonly ParameterInfo[] {
  return model.parameters.filter((info) => !own(info));
}

/** The longer edges that the model paints at, the smallest first; none where it has no choice. */
export function sizes(model: ModelInfo): number[] {
  const info = model.parameters.find(own);
  return (info?.choices ?? []).map(Number).sort((a, b) => a - b);
}

/** The longer edge of a picture that answers a person's edit; null where the model has no choice. */
export function drawnAt(model: ModelInfo, params: Params): number | null {
  const [smallest] = sizes(model);
  return smallest === undefined ? null : Number(params[SIZE] ?? smallest);
}

/** What asks for pictures of that size, as parameters; nothing where the model has no choice. */
export function sized(model: ModelInfo, edge: number): Params {
  return sizes(model).includes(edge) ? { [SIZE]: edge } : {};
}
