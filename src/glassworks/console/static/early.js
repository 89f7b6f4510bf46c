// Before the first paint: the theme that was chosen, so that nothing flashes.
{
  const theme = localStorage.getItem("glassworks.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
}
