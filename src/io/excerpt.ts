/**
 * What messages quote of a file: the beginning of it.
 */

const MOST = 200;

/** `text`, cut after 200 characters. */
export const excerpt = (text: string): string => (text.length > MOST ? `${text.slice(0, MOST)}…` : text);

/** A value that a file's JSON holds, as JSON, cut. A file may nest lists deeper than JSON.stringify can follow. */
export function excerptOf(value: unknown): string {
  try {
    return excerpt(JSON.stringify(value) ?? String(value));
  } catch {
    return 'a value nested too deeply';
  }
}
