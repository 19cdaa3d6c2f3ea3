import type { Team } from '#hmatrix/parallel/team.js';

export declare const VALUES: {
  readonly [name in 'equal' | 'ascending' | 'descending' | 'few' | 'mixed' | 'wide' | 'hidden' | 'zeros']: (
    index: number,
    level: number,
  ) => number;
};
export declare const SIZE: number;
export type ValuesName = keyof typeof VALUES;

/** What stands at the rank's own positions, and the level of the subtrees. */
export interface CutFound {
  readonly order: readonly number[];
  readonly carried: readonly number[];
  readonly top: number;
}

export declare function cutAll(
  team: Team,
  options: { readonly size: number; readonly values: ValuesName; readonly carries: boolean },
): Promise<CutFound>;
