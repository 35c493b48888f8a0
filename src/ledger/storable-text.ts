/** Neither SQL text nor older CSV readers bear a NUL. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD');
}
