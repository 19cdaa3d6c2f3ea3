/**
 * What the processor can do, as the system tells it.
 */
import { readFileSync } from 'node:fs';

/**
 * Instructions of the processor as Linux names them ('avx2', 'fma', …; on ARM 'sve', …), and only those that the system
 * lets programs use; none on other systems.
 */
export function processorFlags(): ReadonlySet<string> {
  try {
    return new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(' '));
  } catch {
    return new Set();
  }
}
