package main

type demoCommand struct{}

// Run is written with the shop.
func (demoCommand) Run() error { return nil }
