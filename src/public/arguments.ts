/**
 * What the public functions see to before they hand on their arguments: a team, a dense backend, known options, numbers
 * in arrays of any type.
 */
import { requireControl, type RunControl } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { Blas } from '../dense/blas.js';
import { asModel, type GivenModel, type Model } from '../network/model.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Team } from '../parallel/team.js';
import { defaultBlas, defaultTeam } from '../runtime.js';
import { requireSource, type EntrySource } from '../source/entry-source.js';
import { asTree, type ClusterTree, type GivenTree } from '../tree/cluster-tree.js';

/**
 * What long-running functions take last: the team that works, an AbortSignal, a progress callback. All may be left out.
 */
export interface Control extends RunControl {
  readonly team?: Team | undefined;
}

/** The control with the team that works, the shared one where the caller brings none. Throws OptionError. */
export async function onTeam(control: Control, of: string): Promise<TeamControl> {
  const { signal, onProgress } = onThread(control, of);
  const { team } = control;
  if (team !== undefined) requireRole(team, 'team', `The control of ${of}`);
  return { team: team ?? (await defaultTeam()), signal, onProgress };
}

/** The control of a function that needs no team; it may hold what `more` names besides. Throws OptionError. */
export function onThread(control: RunControl, of: string, more: Readonly<Record<string, true>> = {}): RunControl {
  requireControl(control, of, more);
  const { signal, onProgress } = control;
  return { signal, onProgress };
}

/** The options themselves. Throws OptionError for a key that is none of theirs. */
export function known<T>(options: T, keys: KeysOf<T>, of: string): T {
  requireKnownOptions(options, keys, of);
  return options;
}

/** Options with a dense backend, which may be left out. */
export type BlasOptional<T> = Omit<T, 'blas'> & { readonly blas?: Blas | undefined };

/**
 * The options, with the calling thread's backend where they name none. Throws OptionError for a key of none of theirs.
 */
export function withBlas<T extends { readonly blas: Blas }>(options: BlasOptional<T>, keys: KeysOf<T>, of: string): T {
  requireKnownOptions(options, keys as KeysOf<BlasOptional<T>>, of);
  const { blas, team } = options as { readonly blas?: Blas | undefined; readonly team?: unknown | undefined };
  if (team !== undefined) requireRole(team, 'team', `The option team of ${of}`);
  if (blas !== undefined && typeof blas?.gemm !== 'function') {
    throw new OptionError(
      `The option blas of ${of} is a dense backend, as openBlas(name) opens it, not ${describe(blas)}.`,
    );
  }
  return { ...options, blas: blas ?? defaultBlas() } as T;
}

/** What options may say of the matrix: its entries, its network, a tree over its indices. */
interface Described {
  readonly source?: EntrySource | undefined;
  readonly model?: Model | undefined;
  readonly tree?: ClusterTree | undefined;
}

/** The same as callers hand it over. */
export type Given<T> = Omit<T, 'model' | 'tree'> &
  ('model' extends keyof T ? { readonly model?: GivenModel | undefined } : unknown) &
  ('tree' extends keyof T ? { readonly tree?: GivenTree | undefined } : unknown);

/**
 * The options with their model's parameters and their tree's nodes as typed arrays. Throws OptionError for what is no
 * model, tree or source, ShapeError.
 */
export function described<T extends Described>(options: Given<T>, of: string): T {
  const { source, model, tree } = options as {
    source?: EntrySource | undefined;
    model?: GivenModel | undefined;
    tree?: GivenTree | undefined;
  };
  if (source !== undefined) requireSource(source, of);
  if (model === undefined && tree === undefined) return options as T;
  const typed = {
    ...(model === undefined ? {} : { model: asModel(model, of) }),
    ...(tree === undefined ? {} : { tree: asTree(tree, of) }),
  };
  return { ...options, ...typed } as T;
}
