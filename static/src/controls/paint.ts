// Colours of the style sheet for what is drawn by hand: resolved for the theme that is worn.

const probe = document.createElement("span");
probe.hidden = true;

/** The colour of a custom property, as the browser computes it now. */
export function colour(property: string): string {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${property})`;
  return getComputedStyle(probe).color;
}

export function font(pixels: number): string {
  const family = getComputedStyle(document.documentElement).getPropertyValue("--sans");
  return `${pixels}px ${family}`;
}
