"""The site: settings, processes and the one page of doors; assembles the apps and is imported by none of them."""
