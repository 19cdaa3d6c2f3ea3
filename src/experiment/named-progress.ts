/**
 * Progress that says which part of a run it belongs to.
 */
import type { TeamControl } from '../parallel/team-control.js';

export const named = (name: string, control: TeamControl): TeamControl => ({
  ...control,
  onProgress:
    control.onProgress &&
    (({ phase, ...rest }) => {
      control.onProgress?.({ phase: `${name}: ${phase}`, ...rest });
    }),
});
