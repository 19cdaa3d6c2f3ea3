/**
 * What options say of the matrix, as callers hand it over: its entries, its network, a tree over its indices.
 */
import { asModel, type GivenModel, type Model } from '../network/model.js';
import { requireSource, type EntrySource } from '../source/entry-source.js';
import { asTree, type ClusterTree, type GivenTree } from './cluster-tree.js';

/** What options may say of the matrix. */
interface Described {
  readonly source?: EntrySource | undefined;
  readonly model?: Model | undefined;
  readonly tree?: ClusterTree | undefined;
}

/** Options as callers hand them over: a model's parameters and a tree's nodes in any array of numbers. */
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
  return {
    ...options,
    model: model === undefined ? undefined : asModel(model, of),
    tree: tree === undefined ? undefined : asTree(tree, of),
  } as T;
}
