/**
 * The choice of leaf size and rank limit alone, without the compression.
 */
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { type EntrySource, requireSource, lettingGo } from '../../source/entry-source.js';
import { described, type Given } from '../../tree/given.js';
import type { ChosenOptions } from '../matrix/chosen-options.js';
import { COMPRESS_KEYS, type CompressOptions } from './options.js';
import { chooseByPilot, prepare } from './prepare.js';
import { askedEntries } from './scaled-entries.js';

/**
 * What {@link compress} would choose with these options: costs by leaf size as predicted from the ranks of a few nodes,
 * leaf size and rank limit. A compression with these two numbers has the bits of one that chooses them. Cost: neighbors
 * and a tree, and some dozen nodes' skeletons. Throws what `compress` throws.
 *
 * ```js
 * const { leafSize, maxRank, tried } = await tune(source, { tolerance: 1e-6, objective: 'product' });
 * ```
 */
export async function tune(
  source: EntrySource,
  options: Given<CompressOptions> = {},
  control: Control = {},
): Promise<ChosenOptions> {
  requireSource(source, 'tune');
  const known = requireKnownOptions(options, COMPRESS_KEYS as KeysOf<typeof options>, 'tune');
  return tuneEntries(source, described<CompressOptions>(known, 'tune'), await onTeam(control, 'tune'));
}

/** `tune` for callers inside: options are known. */
export const tuneEntries = (
  source: EntrySource,
  options: CompressOptions,
  control: TeamControl,
): Promise<ChosenOptions> =>
  lettingGo(source, control, async () => {
    const { asked, entries } = await askedEntries(source, options, 'tune', control);
    return chooseByPilot(entries, asked, await prepare(entries, asked, control), control);
  });
