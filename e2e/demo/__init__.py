"""The demo: releases of a small application, promoted and rolled back before your eyes."""
