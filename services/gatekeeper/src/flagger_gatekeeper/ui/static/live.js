// Shows what has changed, every few seconds. Without it, people reload.
const part = document.querySelector("[data-live]");

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-live]");
  const focused = part.contains(document.activeElement);
  if (fresh && !focused && fresh.innerHTML !== part.innerHTML) part.innerHTML = fresh.innerHTML;
  // A form is about the gate as it was seen, so it goes with what is shown.
  const [seen, now] = [document, page].map((one) => one.querySelector("input[name=seen]"));
  if (fresh && !focused && seen && now) seen.value = now.value;
}

// A store that is away for a moment is asked again.
if (part) setInterval(() => refresh().catch(() => undefined), 3000);
