// Before the first paint: the theme that was chosen, else that of the system, so that nothing flashes.
{
  const chosen = localStorage.getItem("glassworks.theme");
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : system;
}
