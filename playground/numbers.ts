/**
 * Numbers as people read them.
 */
import { inPowers } from '#hmatrix/core/number-text.js';
import type { ErrorEstimate } from 'hmatrix/hierarchical';

/** '3.2 ms', '1.4 s'. */
export const timeText = (seconds: number): string =>
  seconds < 0.1 ? `${(1000 * seconds).toPrecision(2)} ms` : `${seconds.toPrecision(2)} s`;

/** An error with half its interval, where it has one. */
export const errorText = ({ relative, low, high, exact }: ErrorEstimate): string =>
  exact ? inPowers(relative) : `${inPowers(relative)} (${inPowers(low)} to ${inPowers(high)})`;
