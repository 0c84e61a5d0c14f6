"""The commands of ``cachy``, one a module, each called ``command`` there."""
