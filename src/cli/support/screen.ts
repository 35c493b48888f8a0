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
