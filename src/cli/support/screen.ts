/** The part of the terminal that is drawn again and again, and lines that are to stand above it for good. */
import logUpdate from 'log-update';

let shown: string | null = null;

export function drawScreen(text: string): void {
  shown = text;
  logUpdate(text);
}

export function clearScreen(): void {
  shown = null;
  logUpdate.clear();
}

/** Writes a line; what is drawn moves below it. */
export function writeAbove(stream: NodeJS.WriteStream, line: string): void {
  if (shown === null) {
    stream.write(`${line}\n`);
    return;
  }
  logUpdate.clear();
  stream.write(`${line}\n`);
  logUpdate(shown);
}

/**
 * Lets a reader leave (`reachback watch --json | head`, a terminal that is closed): what is printed from then on goes nowhere, instead of ending the
 * program with an error of the system.
 *
 * @returns aborts when nobody reads standard output any more
 */
export function letReadersLeave(streams: readonly NodeJS.WriteStream[]): AbortSignal {
  const left = new AbortController();
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A terminal that was closed answers EIO.
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
      if (stream === streams[0]) left.abort();
    });
  }
  return left.signal;
}
