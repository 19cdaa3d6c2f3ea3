/** What one process, or rank `rank` of a world, finds of a HODLR matrix. */
export function look(start: {
  readonly world?: unknown;
  readonly rank?: number;
  readonly data: object;
}): Promise<Record<string, unknown>>;
