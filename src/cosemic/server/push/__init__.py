"""What a device sends by itself: selection, windows, attempts, protection, and the queue outwards (class 40)."""
