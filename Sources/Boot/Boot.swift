// What is loaded, and in what state the first vCPU enters it.
